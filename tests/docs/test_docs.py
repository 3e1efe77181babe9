"""What the documents name is there, and what they show is valid."""

import ast
import json
import re
from pathlib import Path
from typing import Any, Final

import pytest
from jsonschema import Draft202012Validator

from cli.demonstration import curl

ROOT: Final = Path(__file__).resolve().parents[2]
DOCUMENTS: Final = tuple(
    sorted(
        [
            *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
            *(ROOT / "docs").rglob("*.md"),
        ]
    )
)
SCHEMAS: Final = ROOT / "schemas" / "generated"
LINK: Final = re.compile(r"\]\((?!https?:|#)([^)\s#]+)")
PATH: Final = re.compile(r"`((?:[\w.-]+/)+[\w.-]+\.(?:py|ts|sql|yaml|lock))\b")
FUNCTION: Final = re.compile(r"^\| \d+ \| `([\w./-]+): ([\w.]+)` \|", re.MULTILINE)
NAMED: Final = re.compile(r"`([\w./-]+\.py): ([\w.]+)`")
EXAMPLE: Final = re.compile(r"Example, `([\w.-]+)`:\n\n```json\n(.*?)```", re.DOTALL)
STEPS_MAX: Final = 12


def _id(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("document", DOCUMENTS, ids=_id)
def test_what_a_document_links_to_is_there(document: Path) -> None:
    links = LINK.findall(document.read_text())
    assert [link for link in links if not (document.parent / link).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=_id)
def test_every_file_that_a_document_names_is_there(document: Path) -> None:
    paths = PATH.findall(document.read_text())
    assert [path for path in paths if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=_id)
def test_every_name_in_a_file_is_there(document: Path) -> None:
    named = NAMED.findall(document.read_text())
    assert [(path, name) for path, name in named if not _is_there(path, name)] == []


def test_the_way_of_a_deal_is_a_dozen_functions_in_a_file_each() -> None:
    way = FUNCTION.findall((ROOT / "README.md").read_text())
    assert 1 < len(way) <= STEPS_MAX
    assert len({path for path, _ in way}) == len(way)
    assert [(path, name) for path, name in way if not _is_there(path, name)] == []


def test_a_name_that_is_not_there_is_found_missing() -> None:
    assert _is_there("streams/batch.py", "BatchProtocol.prepare")
    assert not _is_there("streams/batch.py", "BatchProtocol.vanish")
    assert not _is_there("web/src/lib/live.ts", "vanish")


@pytest.mark.parametrize(
    ("type_", "text"),
    [
        example
        for page in sorted((ROOT / "docs" / "topics").glob("*.md"))
        for example in EXAMPLE.findall(page.read_text())
    ],
)
def test_an_example_of_a_message_is_valid(type_: str, text: str) -> None:
    Draft202012Validator(_schema(type_)).validate(json.loads(text))


def test_the_readmes_curl_is_the_one_the_demo_prints() -> None:
    shown = curl("http://127.0.0.1:8000", Path(".paceboard/demo-token"))
    assert shown in (ROOT / "README.md").read_text()


def test_the_glossary_is_in_alphabetical_order() -> None:
    rows = re.findall(r"^\| \*\*([^*]+)\*\*", (ROOT / "docs" / "glossary.md").read_text(), re.M)
    names = [name.lower().replace("_", " ") for name in rows]
    assert names == sorted(names)
    assert len(set(names)) == len(names)


def test_decisions_are_one_series_and_each_is_listed() -> None:
    folder = ROOT / "docs" / "decisions"
    numbers = sorted(path.name[:4] for path in folder.glob("[0-9]*.md"))
    listed = re.findall(r"^\| \[(\d{4})\]", (folder / "README.md").read_text(), re.M)
    assert numbers == listed == [f"{n:04}" for n in range(1, len(numbers) + 1)]


def _schema(type_: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((SCHEMAS / f"{type_}.schema.json").read_text())
    return found


def _is_there(path: str, name: str) -> bool:
    file = ROOT / path
    if not file.is_file():
        return False
    if file.suffix == ".ts":
        return re.search(rf"^export function {name}\(", file.read_text(), re.MULTILINE) is not None
    return name in _names(ast.parse(file.read_text()))


def _names(tree: ast.Module | ast.ClassDef, prefix: str = "") -> set[str]:
    """Functions, classes, methods and constants, by their qualified names."""
    found: set[str] = set()
    for node in tree.body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                found.add(prefix + node.name)
            case ast.ClassDef():
                found |= {prefix + node.name, *_names(node, f"{prefix}{node.name}.")}
            case ast.AnnAssign(target=ast.Name(id=name)):
                found.add(prefix + name)
            case _:
                pass
    return found
