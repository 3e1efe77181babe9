"""Examples in the OpenAPI document: what the sample company was asked, and what it answered.

`recorded.json` is written by tests/api/test_examples.py, which asks all of it again each time.
"""

from functools import cache
from pathlib import Path
from typing import Any, Final

import msgspec

PATH: Final = Path(__file__).parent / "recorded.json"
_SHOWN_ROWS: Final = 2  # of a list; the document is to be read
_Document = dict[str, Any]


class Recorded(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A request and its answer; bodies are JSON, or text where they are files."""

    method: str
    path: str  # as the document has it: "/v1/deals/{deal_id}"
    asked: str  # with everything filled in
    status: int
    sent: Any = None
    sent_type: str | None = None
    answered: Any = None
    answered_type: str | None = None


def add(document: _Document) -> None:
    """Add them to the document: path parameters, files that are sent, answers."""
    for one in _recorded():
        operation = document["paths"][one.path][one.method.lower()]
        _add_path(operation, one)
        if isinstance(one.sent, str):
            operation["requestBody"]["content"][one.sent_type]["example"] = one.sent
        if one.answered is not None:
            content = operation["responses"][str(one.status)]["content"]
            content[one.answered_type].setdefault("example", _shortened(one.answered))


@cache
def _recorded() -> list[Recorded]:
    return msgspec.json.decode(PATH.read_bytes(), type=list[Recorded])


def _add_path(operation: _Document, one: Recorded) -> None:
    steps = zip(one.path.split("/"), one.asked.partition("?")[0].split("/"), strict=True)
    values = {name[1:-1]: value for name, value in steps if name.startswith("{")}
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "path":
            parameter.setdefault("example", values[parameter["name"]])


def _shortened(value: Any) -> Any:
    match value:
        case dict():
            return {name: _shortened(one) for name, one in value.items()}
        case list():
            return [_shortened(one) for one in value[:_SHOWN_ROWS]]
        case _:
            return value
