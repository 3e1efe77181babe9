"""Reference tables in general: their keys and columns, what is known now, closing and adding rows.

A row is known from `known_from` until another supersedes it or it is retired (`known_to`). Nothing
is ever edited: a change closes the known row and adds one.
"""

import datetime as dt
import decimal
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec
import sqlalchemy as sa
from psycopg import sql
from sqlalchemy.dialects import postgresql as pg

from db.audit import json_or_null
from db.connect import Connection
from db.tables import metadata

Key: TypeAlias = tuple[Any, ...]
Row: TypeAlias = dict[str, Any]

KNOWLEDGE: Final = frozenset({"row_id", "known_from", "known_to", "reference_version"})
_TYPES: Final[dict[type[sa.types.TypeEngine[Any]], tuple[type, str]]] = {
    sa.Text: (str, "text"),
    sa.BigInteger: (int, "bigint"),
    sa.Integer: (int, "integer"),
    sa.Numeric: (Decimal, "numeric"),
    sa.Date: (dt.date, "date"),
    sa.Time: (dt.time, "time"),
}

KNOWN_BY_KEY: Final = """
    SELECT row_id, {columns} FROM {table} JOIN unnest({arrays}) AS wanted({keys}) USING ({keys})
    WHERE known_to IS NULL
"""
OVERLAPPING: Final = """
    SELECT {left_key}, b.starts_on
    FROM {table} a JOIN {table} b USING ({subject}) JOIN unnest({arrays}) AS w({subject})
        USING ({subject})
    WHERE a.known_to IS NULL AND b.known_to IS NULL AND a.starts_on < b.starts_on
      AND (a.ends_on IS NULL OR a.ends_on > b.starts_on)
    LIMIT 1
"""
CLOSE: Final = "UPDATE {table} SET known_to = %s WHERE row_id = ANY(%s)"
ADD: Final = "INSERT INTO {table} ({columns}) VALUES ({values})"


class Shape(NamedTuple):
    """What a bitemporal table consists of, beside what is known when."""

    table: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    nullable: frozenset[str]
    json: frozenset[str]
    types: Mapping[str, tuple[type, str]]  # of the columns that are not JSON

    @property
    def subject(self) -> tuple[str, ...]:
        """Of whom or what one row at a time is effective; empty where rows have no range."""
        has_range = self.key[-1] == "starts_on" and "ends_on" in self.columns
        return self.key[:-1] if has_range else ()

    def key_of(self, row: Mapping[str, Any]) -> Key:
        """The values of the key columns, in their order."""
        return tuple(row[name] for name in self.key)


class Known(NamedTuple):
    """A row known now."""

    row_id: int
    values: Row


def _shape(table: sa.Table) -> Shape:
    columns = [column for column in table.columns if column.name not in KNOWLEDGE]
    (known,) = (index for index in table.indexes if str(index.name).endswith("_known"))
    return Shape(
        table=table.name,
        key=tuple(column.name for column in known.columns),
        columns=tuple(column.name for column in columns),
        nullable=frozenset(column.name for column in columns if column.nullable),
        json=frozenset(column.name for column in columns if isinstance(column.type, pg.JSON)),
        types={c.name: _TYPES[type(c.type)] for c in columns if not isinstance(c.type, pg.JSON)},
    )


SHAPES: Final = {
    name: _shape(table) for name, table in metadata.tables.items() if "known_to" in table.columns
}


def checked(shape: Shape, given: Mapping[str, Any]) -> Row:
    """The row with every column, values as the database gives them back; absent is NULL.

    Raises TypeError or ValueError for a column or a value that does not belong there.
    """
    unknown = given.keys() - set(shape.columns)
    if unknown:
        raise ValueError(f"{shape.table} has no column {', '.join(sorted(unknown))}")
    row = {name: _value(shape, name, given.get(name)) for name in shape.columns}
    if row.get("ends_on") is not None and row["ends_on"] <= row["starts_on"]:
        raise ValueError(f"{shape.table}: a range that begins {row['starts_on']} must end later")
    return row


def _value(shape: Shape, name: str, value: Any) -> Any:
    if value is None:
        if name not in shape.nullable:
            raise ValueError(f"{shape.table}.{name} is missing")
        return None
    if name in shape.json:
        return msgspec.json.decode(msgspec.json.encode(value))
    python_type, _ = shape.types[name]
    if python_type is Decimal and type(value) in (int, str):
        return _decimal(shape, name, value)
    if python_type is str and isinstance(value, str):
        return str(value)  # an enum's member becomes its text
    if type(value) is not python_type:
        raise TypeError(f"{shape.table}.{name}: {python_type.__name__}, not {type(value).__name__}")
    return value


def _decimal(shape: Shape, name: str, value: int | str) -> Decimal:
    try:
        return Decimal(value)
    except decimal.InvalidOperation as error:
        raise ValueError(f"{shape.table}.{name} is no number") from error


def known(conn: Connection, shape: Shape, keys: Collection[Key]) -> dict[Key, Known]:
    """The rows known now under those keys."""
    if not keys:
        return {}
    statement = sql.SQL(KNOWN_BY_KEY).format(
        columns=names(shape.columns),
        table=sql.Identifier(shape.table),
        arrays=_arrays(shape, shape.key),
        keys=names(shape.key),
    )
    found = {}
    for row_id, *values in conn.execute(statement, _by_column(keys)):
        row = dict(zip(shape.columns, values, strict=True))
        found[shape.key_of(row)] = Known(row_id, row)
    return found


def overlapping(conn: Connection, shape: Shape, keys: Collection[Key]) -> Key | None:
    """A known row of these keys' subjects that ends after the next begins: its key and that day."""
    subjects = {key[: len(shape.subject)] for key in keys}
    if not shape.subject or not subjects:
        return None
    statement = sql.SQL(OVERLAPPING).format(
        left_key=sql.SQL(", ").join([*map(sql.Identifier, shape.subject), sql.SQL("a.starts_on")]),
        table=sql.Identifier(shape.table),
        subject=names(shape.subject),
        arrays=_arrays(shape, shape.subject),
    )
    return conn.execute(statement, _by_column(subjects)).fetchone()


def close(conn: Connection, shape: Shape, row_ids: Sequence[int], known_at: dt.datetime) -> None:
    """Those rows are known until `known_at`."""
    if row_ids:
        statement = sql.SQL(CLOSE).format(table=sql.Identifier(shape.table))
        conn.execute(statement, (known_at, list(row_ids)))


def add(
    conn: Connection, shape: Shape, rows: Sequence[Row], known_at: dt.datetime, version: int
) -> None:
    """Those rows are known from `known_at` on."""
    columns = (*shape.columns, "known_from", "reference_version")
    statement = sql.SQL(ADD).format(
        table=sql.Identifier(shape.table),
        columns=names(columns),
        values=sql.SQL(", ").join(sql.Placeholder() for _ in columns),
    )
    with conn.cursor() as cursor:
        cursor.executemany(
            statement, [(*_parameters(shape, row), known_at, version) for row in rows]
        )


def _arrays(shape: Shape, columns: Sequence[str]) -> sql.Composed:
    """One array parameter for each of those columns."""
    return sql.SQL(", ").join(sql.SQL(f"%s::{shape.types[name][1]}[]") for name in columns)


def _by_column(keys: Collection[Key]) -> list[list[Any]]:
    return [list(values) for values in zip(*keys, strict=True)]


def _parameters(shape: Shape, row: Row) -> list[Any]:
    return [
        json_or_null(value) if name in shape.json else value
        for name, value in ((name, row[name]) for name in shape.columns)
    ]


def names(columns: Sequence[str]) -> sql.Composed:
    """Quoted column names, separated by commas."""
    return sql.SQL(", ").join(map(sql.Identifier, columns))
