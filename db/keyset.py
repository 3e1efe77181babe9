"""Pages of a list by keyset: SQL conditions and order of what never changes of a row.

A row is after another when its key is greater (descending: smaller). So each row comes once, and
none that stands throughout is missing, whatever is written between two pages.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from db.connect import Connection

_AFTER = "after_{index}"


class Keyset(NamedTuple):
    """Where a page begins and how many rows to read: one more than it shows."""

    after: tuple[Any, ...] | None  # the key of the last row of the page before
    is_descending: bool
    rows_max: int


class Clauses(NamedTuple):
    """Text to put behind FROM, and its parameters."""

    text: str
    parameters: dict[str, Any]


def clauses(
    keyset: Keyset,
    columns: tuple[str, ...],
    *,
    filters: Mapping[str, Any],
    conditions: Mapping[str, str],
    always: tuple[str, ...] = (),
    parameters: Mapping[str, Any] | None = None,
) -> Clauses:
    """`WHERE ... ORDER BY ... LIMIT ...`.

    `columns` are the key, together unique and never NULL; `conditions` say what each filter means,
    its value being the parameter of the same name: only those of given filters take part. `always`
    are further conditions, with `parameters` of their own. Raises KeyError for a filter that has no
    condition.
    """
    found: dict[str, Any] = {**filters, **(parameters or {}), "rows_max": keyset.rows_max}
    parts = [*always, *(conditions[name] for name in filters)]
    if keyset.after is not None:
        found |= {_AFTER.format(index=i): value for i, value in enumerate(keyset.after)}
        parts.append(_is_after(keyset, columns))
    direction = "DESC" if keyset.is_descending else "ASC"
    order = ", ".join(f"{column} {direction}" for column in columns)
    where = f"WHERE {' AND '.join(f'({part})' for part in parts)} " if parts else ""
    return Clauses(f"{where}ORDER BY {order} LIMIT %(rows_max)s", found)


def rows(connection: Connection, select: str, of: Clauses) -> list[tuple[Any, ...]]:
    """The rows of `select`, which ends in its FROM, under those clauses."""
    return connection.execute(f"{select} {of.text}".encode(), of.parameters).fetchall()


def starts_with(text: str) -> str:
    """A LIKE pattern for what begins with a text; what LIKE would read as a sign is escaped."""
    return contains(text)[1:]


def contains(text: str) -> str:
    """A LIKE pattern for what contains a text."""
    for sign in ("\\", "%", "_"):
        text = text.replace(sign, f"\\{sign}")
    return f"%{text}%"


def _is_after(keyset: Keyset, columns: tuple[str, ...]) -> str:
    sign = "<" if keyset.is_descending else ">"
    values = ", ".join(f"%({_AFTER.format(index=i)})s" for i in range(len(columns)))
    return f"({', '.join(columns)}) {sign} ({values})"
