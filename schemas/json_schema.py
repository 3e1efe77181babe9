"""JSON Schema of declared Structs, with descriptions as prose instead of indented docstrings."""

import inspect
from collections.abc import Sequence
from typing import Any

import msgspec


def components(
    types: Sequence[Any], *, ref_template: str
) -> tuple[tuple[dict[str, Any], ...], dict[str, Any]]:
    """The schema of each type and the definitions they refer to."""
    roots, definitions = msgspec.json.schema_components(types, ref_template=ref_template)
    return tuple(_clean(root) for root in roots), _clean(definitions)


def _clean(value: Any) -> Any:
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: inspect.cleandoc(item)
        if key == "description" and isinstance(item, str)
        else _clean(item)
        for key, item in value.items()
    }
