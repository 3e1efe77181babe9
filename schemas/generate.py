"""JSON Schema and AsyncAPI, generated from schemas/messages.py, schemas/live.py, schemas/plan.py.

`python -m schemas.generate` writes schemas/generated/; with `--check` it writes nothing and exits 1
when a file there is not what the declarations say. The output depends on the declarations alone.
"""

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import msgspec

from schemas.asyncapi import asyncapi_yaml
from schemas.examples import EXAMPLES, PLAN_EXAMPLE
from schemas.json_schema import components
from schemas.live import ClientFrame, ServerFrame
from schemas.messages import BINDINGS
from schemas.plan import PlanDocument

FOLDER: Final = Path(__file__).parent / "generated"
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_REF: Final = "#/$defs/{name}"


def generated() -> dict[str, str]:
    """Every generated file's text, by its name."""
    files = {
        f"{binding.type}.schema.json": _json(
            message_schema(binding.struct, binding.type, EXAMPLES[binding.struct])
        )
        for binding in BINDINGS.values()
    }
    files["plan.schema.json"] = _json(message_schema(PlanDocument, "plan", PLAN_EXAMPLE))
    files["live.schema.json"] = _json(live_schema())
    files["asyncapi.yaml"] = asyncapi_yaml()
    return files


def message_schema(struct: type[msgspec.Struct], name: str, example: object) -> dict[str, Any]:
    """A self-contained JSON Schema of one declared Struct, with its example."""
    (_,), definitions = components([struct], ref_template=_REF)
    root = definitions.pop(struct.__name__)
    return {
        "$schema": DIALECT,
        "$id": f"urn:paceboard:schema:{name}",
        **root,
        "examples": [msgspec.to_builtins(example)],
        "$defs": definitions,
    }


def live_schema() -> dict[str, Any]:
    """The frames of the live socket: `ClientFrame` and `ServerFrame` among the definitions."""
    (client, server), definitions = components([ClientFrame, ServerFrame], ref_template=_REF)
    return {
        "$schema": DIALECT,
        "$id": "urn:paceboard:schema:live",
        "title": "Frames of WS /v1/live",
        "anyOf": [{"$ref": "#/$defs/ClientFrame"}, {"$ref": "#/$defs/ServerFrame"}],
        "$defs": {"ClientFrame": client, "ServerFrame": server, **definitions},
    }


def write(folder: Path = FOLDER) -> None:
    """Bring the folder up to date; files that are generated no longer are removed."""
    files = generated()
    folder.mkdir(exist_ok=True)
    for path in _strangers(folder, files):
        path.unlink()
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")


def stale(folder: Path = FOLDER) -> tuple[str, ...]:
    """The names of files that are missing, different, or generated no longer."""
    files = generated()
    changed = [
        name
        for name, text in files.items()
        if not (folder / name).is_file() or (folder / name).read_text(encoding="utf-8") != text
    ]
    return tuple(sorted([*changed, *(path.name for path in _strangers(folder, files))]))


def _strangers(folder: Path, names: Iterable[str]) -> list[Path]:
    known = set(names)
    return [path for path in folder.iterdir() if path.name not in known] if folder.is_dir() else []


def _json(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n"


def main(arguments: list[str]) -> int:
    """The command; its exit code."""
    parser = argparse.ArgumentParser(prog="python -m schemas.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 when stale")
    if not parser.parse_args(arguments).check:
        write()
        return 0
    names = stale()
    if names:
        sys.stderr.write(f"stale: {', '.join(names)}; to mend it: python -m schemas.generate\n")
    return 1 if names else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
