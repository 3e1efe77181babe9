"""What waits for somebody: held shares, refused records, excluded deals, sources behind."""

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, LiteralString, NamedTuple

from db.connect import Connection
from db.keyset import Keyset, clauses, contains, rows, starts_with
from schemas.messages import RefusalCode, Role
from schemas.state import HoldReason


class Group(NamedTuple):
    """One reason and currency of a queue."""

    reason: str
    detail: str | None  # what the reason says in words, where it is data
    currency: str | None
    total: int  # how many
    amount: Decimal | None
    oldest: dt.datetime | None


# ---- held ----------------------------------------------------------------------------------------


class Held(NamedTuple):
    """A share that waits."""

    held_since: dt.datetime
    deal_id: str
    share: str
    payee_key: str | None
    role: Role
    reason: HoldReason
    amount: Decimal
    currency: str
    detail: str
    source: str
    closed_on: dt.date | None
    name: str | None


HELD: Final = """
SELECT h.held_since, h.deal_id, h.share, h.payee_key, h.role, h.reason, h.amount, h.currency,
       h.detail, h.source, h.closed_on, d.name
  FROM holds h JOIN deals d USING (deal_id)"""
_HELD_OF: Final = "h.source || ':' || h.payee_key = ANY({keys})"
_HELD_CONDITIONS: Final[dict[str, str]] = {
    "reason": "h.reason = %(reason)s",
    "source": "d.source = %(source)s",
    "payee_id": _HELD_OF.format(keys="%(payee_keys)s"),
    "q": "d.search_key LIKE %(q_key)s OR d.name ILIKE %(q_text)s",
}


def held(
    connection: Connection,
    keyset: Keyset,
    *,
    keys: Sequence[str] | None,
    filters: Mapping[str, Any],
    payee_keys: Sequence[str] = (),
) -> list[Held]:
    """A page of held shares by (held_since, deal_id, share); `keys` None: of everybody."""
    found = clauses(
        keyset,
        ("h.held_since", "h.deal_id", "h.share"),
        filters=filters,
        conditions=_HELD_CONDITIONS,
        always=_seen(keys),
        parameters=_held_parameters(keys, filters, payee_keys),
    )
    return [
        Held._make((*row[:4], Role(row[4]), HoldReason(row[5]), *row[6:]))
        for row in rows(connection, HELD, found)
    ]


HELD_GROUPS: Final = """
SELECT h.reason, NULL, h.currency, count(*), sum(h.amount), min(h.held_since)
  FROM holds h {where} GROUP BY h.reason, h.currency"""


def held_groups(connection: Connection, *, keys: Sequence[str] | None) -> list[Group]:
    """Held shares by reason and currency."""
    where = "" if keys is None else f"WHERE {_seen(keys)[0]}"
    given = {} if keys is None else {"keys": list(keys)}
    found = connection.execute(HELD_GROUPS.format(where=where).encode(), given)
    return [Group(*row) for row in found]


def _seen(keys: Sequence[str] | None) -> tuple[str, ...]:
    return () if keys is None else (_HELD_OF.format(keys="%(keys)s"),)


def _held_parameters(
    keys: Sequence[str] | None, filters: Mapping[str, Any], payee_keys: Sequence[str]
) -> dict[str, Any]:
    found: dict[str, Any] = {"payee_keys": list(payee_keys)}
    if keys is not None:
        found["keys"] = list(keys)
    return {**found, **_search(filters)}


def _search(filters: Mapping[str, Any]) -> dict[str, Any]:
    if "q" not in filters:
        return {}
    text = str(filters["q"])
    return {"q_key": starts_with(text.lower()), "q_text": contains(text)}


# ---- not eligible --------------------------------------------------------------------------------


class Excluded(NamedTuple):
    """A deal that a rule excludes."""

    received_at: dt.datetime
    deal_id: str
    name: str | None
    rule_id: str
    reason: str
    amount: Decimal | None
    currency: str | None
    closed_on: dt.date | None
    booked_at: dt.datetime


EXCLUDED: Final = """
SELECT d.received_at, d.deal_id, d.name, i.rule_id, i.reason, i.amount, i.currency, i.closed_on,
       d.booked_at
  FROM deals d JOIN ineligible i USING (deal_id)"""
_EXCLUDED_CONDITIONS: Final[dict[str, str]] = {
    "rule_id": "i.rule_id = %(rule_id)s",
    "source": "d.source = %(source)s",
    "q": "d.search_key LIKE %(q_key)s OR d.name ILIKE %(q_text)s",
    "closed_on_gte": "i.closed_on >= %(closed_on_gte)s",
    "closed_on_lt": "i.closed_on < %(closed_on_lt)s",
}


def excluded(connection: Connection, keyset: Keyset, filters: Mapping[str, Any]) -> list[Excluded]:
    """A page of deals that are not eligible, by (received_at, deal_id)."""
    found = clauses(
        keyset,
        ("d.received_at", "d.deal_id"),
        filters=filters,
        conditions=_EXCLUDED_CONDITIONS,
        parameters=_search(filters),
    )
    return [Excluded._make(row) for row in rows(connection, EXCLUDED, found)]


EXCLUDED_GROUPS: Final[LiteralString] = """
SELECT rule_id, min(reason), currency, count(*), sum(amount), min(booked_at)
  FROM ineligible GROUP BY rule_id, currency
"""


def excluded_groups(connection: Connection) -> list[Group]:
    """Deals that are not eligible, by rule and currency."""
    return [Group(*row) for row in connection.execute(EXCLUDED_GROUPS)]


# ---- dead letters --------------------------------------------------------------------------------


class Letter(NamedTuple):
    """A refused record."""

    booked_at: dt.datetime
    dead_letter_id: str
    code: RefusalCode
    source_key: str
    place: str
    problem: str
    remedy: str
    topic: str
    partition: int
    offset: int
    value: bytes  # in a list the first `value_bytes_max` of it
    value_bytes: int


LETTERS: Final = """
SELECT booked_at, dead_letter_id, code, source_key, place, problem, remedy, topic, partition,
       record_offset, substr(value, 1, %(value_bytes_max)s), octet_length(value)
  FROM dead_letters"""
_LETTER_CONDITIONS: Final[dict[str, str]] = {
    "code": "code = %(code)s",
    "q": "source_key ILIKE %(q_key)s OR source_key ILIKE %(q_of_source)s",
}


def letters(
    connection: Connection, keyset: Keyset, filters: Mapping[str, Any], *, value_bytes_max: int
) -> list[Letter]:
    """A page of refused records by (booked_at, dead_letter_id)."""
    more: dict[str, Any] = {"value_bytes_max": value_bytes_max}
    if "q" in filters:
        text = str(filters["q"])
        more |= {"q_key": starts_with(text), "q_of_source": f"%:{starts_with(text)}"}
    found = clauses(
        keyset,
        ("booked_at", "dead_letter_id"),
        filters=filters,
        conditions=_LETTER_CONDITIONS,
        parameters=more,
    )
    return [_letter(row) for row in rows(connection, LETTERS, found)]


def letter(connection: Connection, dead_letter_id: str, *, value_bytes_max: int) -> Letter | None:
    """One refused record, whole."""
    text = f"{LETTERS} WHERE dead_letter_id = %(id)s"
    given = {"id": dead_letter_id, "value_bytes_max": value_bytes_max}
    row = connection.execute(text.encode(), given).fetchone()
    return None if row is None else _letter(row)


LETTER_GROUPS: Final[LiteralString] = """
SELECT code, NULL, NULL, count(*), NULL, min(booked_at) FROM dead_letters GROUP BY code
"""


def letter_groups(connection: Connection) -> list[Group]:
    """Refused records by code; what they were worth cannot be known."""
    return [Group(*row) for row in connection.execute(LETTER_GROUPS)]


def _letter(row: tuple[Any, ...]) -> Letter:
    return Letter._make((*row[:2], RefusalCode(row[2]), *row[3:10], bytes(row[10]), row[11]))


# ---- sources -------------------------------------------------------------------------------------


class Source(NamedTuple):
    """A source, those registered and those heard of."""

    source: str
    description: str | None
    complete_through: dt.datetime | None
    last_booked_at: dt.datetime | None
    deals: int
    credited: int
    held: int
    not_eligible: int
    not_counted: int
    refused: int


SOURCES: Final[LiteralString] = """
WITH known AS (
    SELECT source, description FROM sources WHERE known_to IS NULL
), counted AS (
    SELECT source, max(booked_at) AS last, count(*) AS deals,
           count(*) FILTER (WHERE outcome = 'credited') AS credited,
           count(*) FILTER (WHERE outcome = 'held') AS held,
           count(*) FILTER (WHERE outcome = 'not_eligible') AS not_eligible,
           count(*) FILTER (WHERE outcome = 'not_counted') AS not_counted
      FROM deals GROUP BY source
), stamps AS (
    SELECT s.source, count(*) AS partitions, min(s.complete_through) AS at
      FROM source_states s, installation i
     WHERE s.partition < i.deals_partitions GROUP BY s.source
), refused AS (
    SELECT split_part(source_key, ':', 1) AS source, count(*) AS refused
      FROM dead_letters WHERE source_key LIKE '%%:%%' GROUP BY 1
), named AS (
    SELECT source FROM known UNION SELECT source FROM counted UNION SELECT source FROM stamps
)
SELECT n.source, k.description,
       CASE WHEN t.partitions >= i.deals_partitions THEN t.at END,
       c.last, coalesce(c.deals, 0), coalesce(c.credited, 0), coalesce(c.held, 0),
       coalesce(c.not_eligible, 0), coalesce(c.not_counted, 0), coalesce(r.refused, 0)
  FROM named n CROSS JOIN installation i
  LEFT JOIN known k USING (source) LEFT JOIN counted c USING (source)
  LEFT JOIN stamps t USING (source) LEFT JOIN refused r USING (source)
 ORDER BY n.source
"""


def sources(connection: Connection) -> list[Source]:
    """All sources, by name."""
    return [Source(*row) for row in connection.execute(SOURCES, {})]
