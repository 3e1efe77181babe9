"""Deals as they stand, all that was booked for them, and what was sent about them."""

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, LiteralString, NamedTuple

import msgspec

from db.batch_reads import CREDIT_COLUMNS, credit_of
from db.connect import Connection
from db.keyset import Keyset, clauses, contains, rows, starts_with
from schemas.ids import AccountId, ComponentId, DealId, PeriodId
from schemas.messages import DealChanged, DealStatus, PeriodState, RefusalCode
from schemas.state import Credit, DealOutcome, DealState


class Deal(NamedTuple):
    """A deal as it stands."""

    deal_id: DealId
    source: str
    name: str | None
    customer: str | None
    status: DealStatus
    amount: Decimal | None
    currency: str | None
    closed_on: dt.date | None
    outcome: DealOutcome
    named: tuple[str, ...]  # "source:key"
    state: DealState
    received_at: dt.datetime
    booked_at: dt.datetime


_STATE: Final = msgspec.json.Decoder(DealState)
_CONTENT: Final = msgspec.json.Decoder(DealChanged)
_COLUMNS: Final = (
    "deal_id, source, name, customer, status, amount, currency, closed_on, outcome, named,"
    " state::text, received_at, booked_at"
)
DEAL: Final = f"SELECT {_COLUMNS} FROM deals WHERE deal_id = %(deal_id)s"


def deal(connection: Connection, deal_id: str) -> Deal | None:
    """A deal by its id; None when nothing was ever booked under it."""
    row = connection.execute(DEAL.encode(), {"deal_id": deal_id}).fetchone()
    return None if row is None else _deal(row)


BY_KEY: Final[LiteralString] = """
SELECT deal_id FROM deals WHERE search_key = lower(%(key)s) ORDER BY deal_id LIMIT %(most)s
"""


def ids_of_key(connection: Connection, key: str, rows_max: int) -> list[str]:
    """The ids of deals that their sources know by a key, whatever its case."""
    return [row[0] for row in connection.execute(BY_KEY, {"key": key, "most": rows_max})]


def _deal(row: tuple[Any, ...]) -> Deal:
    return Deal(
        deal_id=DealId(row[0]),
        source=row[1],
        name=row[2],
        customer=row[3],
        status=DealStatus(row[4]),
        amount=row[5],
        currency=row[6],
        closed_on=row[7],
        outcome=DealOutcome(row[8]),
        named=tuple(row[9]),
        state=_STATE.decode(row[10]),
        received_at=row[11],
        booked_at=row[12],
    )


class Seen(NamedTuple):
    """Of whom deals are shown: payees, and the keys by which sources name them. None: of all."""

    payees: tuple[str, ...]
    keys: tuple[str, ...]


KEYS: Final[dict[str, tuple[str, ...]]] = {
    "received_at": ("received_at", "deal_id"),
    "-received_at": ("received_at", "deal_id"),
    "deal_id": ("deal_id",),
}
# One IN with both halves, each by its index: an OR would look at every deal.
_OF: Final = """deal_id IN (
    SELECT c.deal_id FROM credits c WHERE c.account_id IN
        (SELECT a.account_id FROM accounts a WHERE a.payee_id = ANY({payees}))
    UNION ALL
    SELECT d.deal_id FROM deals d
     WHERE d.named <> '{{}}'::text[] AND (d.outcome <> 'credited' OR cardinality(d.named) > 1)
       AND d.named && {keys}::text[])"""
_CONDITIONS: Final[dict[str, str]] = {
    "payee_id": _OF.format(payees="%(payee_id)s", keys="%(payee_keys)s"),
    "period": "closed_on >= %(period_starts)s AND closed_on < %(period_ends)s",
    "fate": "outcome = %(fate)s",
    "status": "status = %(status)s",
    "source": "source = %(source)s",
    "q": "search_key LIKE %(q_key)s OR name ILIKE %(q_text)s OR customer ILIKE %(q_text)s",
    "closed_on_gte": "closed_on >= %(closed_on_gte)s",
    "closed_on_lt": "closed_on < %(closed_on_lt)s",
    "booked_at_gte": "booked_at >= %(booked_at_gte)s",
}


def deals(
    connection: Connection,
    keyset: Keyset,
    sort: str,
    *,
    seen: Seen | None,
    filters: Mapping[str, Any],
    parameters: Mapping[str, Any],
) -> list[Deal]:
    """A page of deals. `parameters` belong to filters that need more than their value."""
    always = () if seen is None else (_OF.format(payees="%(seen_payees)s", keys="%(seen_keys)s"),)
    more = dict(parameters)
    if seen is not None:
        more |= {"seen_payees": list(seen.payees), "seen_keys": list(seen.keys)}
    if "q" in filters:
        text = str(filters["q"])
        more |= {"q_key": starts_with(text.lower()), "q_text": contains(text)}
    found = clauses(
        keyset,
        KEYS[sort],
        filters=filters,
        conditions=_CONDITIONS,
        always=always,
        parameters=more,
    )
    return [_deal(row) for row in rows(connection, f"SELECT {_COLUMNS} FROM deals", found)]


# ---- what was booked -----------------------------------------------------------------------------


class Booked(NamedTuple):
    """A credit or a reversal as booked."""

    credit: Credit
    period_state: PeriodState
    batch: int
    booked_at: dt.datetime
    is_in_force: bool


_BOOKED: Final = f"""SELECT {CREDIT_COLUMNS}, period_state, batch, booked_at,
    reverses IS NULL AND NOT EXISTS (
        SELECT FROM credits r WHERE r.deal_id = credits.deal_id AND r.reverses = credits.credit_id)
  FROM credits"""
_CREDIT_CONDITIONS: Final[dict[str, str]] = {
    "payee_id": "account_id IN (SELECT a.account_id FROM accounts a WHERE a.payee_id = "
    "ANY(%(payee_id)s))",
    "deal_id": "deal_id = %(deal_id)s",
    "period": "origin_period = %(period)s",
    "booked_at_gte": "booked_at >= %(booked_at_gte)s",
    "booked_at_lt": "booked_at < %(booked_at_lt)s",
}


def _booked(row: tuple[Any, ...]) -> Booked:
    return Booked(credit_of(row[:17]), PeriodState(row[17]), *row[18:21])


def booked_for(connection: Connection, deal_id: str) -> list[Booked]:
    """All that was ever booked for a deal, in the order of booking."""
    text = f"{_BOOKED} WHERE deal_id = %(deal_id)s ORDER BY booked_at, credit_id"
    return [_booked(row) for row in connection.execute(text.encode(), {"deal_id": deal_id})]


def credits(
    connection: Connection,
    keyset: Keyset,
    *,
    payees: Sequence[str] | None,
    filters: Mapping[str, Any],
) -> list[Booked]:
    """A page of credits and reversals by (booked_at, credit_id); `payees` None: of all."""
    always = (
        ()
        if payees is None
        else (
            "account_id IN (SELECT a.account_id FROM accounts a WHERE a.payee_id = ANY(%(seen)s))",
        )
    )
    found = clauses(
        keyset,
        ("booked_at", "credit_id"),
        filters=filters,
        conditions=_CREDIT_CONDITIONS,
        always=always,
        parameters={} if payees is None else {"seen": list(payees)},
    )
    return [_booked(row) for row in rows(connection, _BOOKED, found)]


PAYEES_EVER: Final[LiteralString] = """
SELECT DISTINCT payee_id FROM credits WHERE deal_id = %(deal_id)s
"""


def payees_ever_credited(connection: Connection, deal_id: str) -> set[str]:
    """Whom a deal was ever credited to."""
    return {row[0] for row in connection.execute(PAYEES_EVER, {"deal_id": deal_id})}


class Arrival(NamedTuple):
    """What one batch changed in a cell of an account."""

    batch: int
    account_id: AccountId
    component: ComponentId
    segment: str
    origin_period: PeriodId
    credits: int
    earned: Decimal


ARRIVALS: Final[LiteralString] = """
SELECT batch, account_id, component, segment, origin_period, credits, earned
  FROM ledger WHERE batch = ANY(%(batches)s) AND account_id = ANY(%(accounts)s)
"""


def arrivals(
    connection: Connection, batches: Sequence[int], accounts: Sequence[str]
) -> list[Arrival]:
    """What those batches changed in those accounts."""
    given = {"batches": list(batches), "accounts": list(accounts)}
    return [Arrival(*row) for row in connection.execute(ARRIVALS, given)]


HELD_SINCE: Final[LiteralString] = """
SELECT share, held_since FROM holds WHERE deal_id = %(deal_id)s
"""


def held_since(connection: Connection, deal_id: str) -> dict[str, dt.datetime]:
    """Since when each held share of a deal waits, by its name."""
    return dict(connection.execute(HELD_SINCE, {"deal_id": deal_id}).fetchall())


# ---- what was sent -------------------------------------------------------------------------------


class Revision(NamedTuple):
    """A revision as received."""

    deal_id: DealId
    source: str
    source_key: str
    revision: int
    digest: str
    changed_on: dt.date
    outcome: str
    tracking_id: str
    booked_at: dt.datetime
    partition: int
    offset: int
    value: str  # the record as it was read
    content: DealChanged


_REVISION: Final[LiteralString] = """
SELECT deal_id, source, source_record, revision, digest, changed_on, outcome, tracking_id,
       booked_at, partition, record_offset, content::text
  FROM deal_revisions
"""


def _revision(row: tuple[Any, ...]) -> Revision:
    return Revision._make((*row, _CONTENT.decode(row[11])))


REVISIONS: Final = (
    _REVISION
    + " WHERE deal_id = %(deal_id)s ORDER BY booked_at DESC, record_offset DESC LIMIT %(most)s"
)
REVISION_COUNT: Final[LiteralString] = """
SELECT count(*) FROM deal_revisions WHERE deal_id = %(deal_id)s
"""


def revisions(connection: Connection, deal_id: str, rows_max: int) -> tuple[list[Revision], int]:
    """The last revisions received, newest first, and how many there are in all."""
    found = connection.execute(REVISIONS, {"deal_id": deal_id, "most": rows_max}).fetchall()
    counted = connection.execute(REVISION_COUNT, {"deal_id": deal_id}).fetchone()
    assert counted is not None
    return [_revision(row) for row in found], counted[0]


BY_TRACKING: Final = _REVISION + " WHERE tracking_id = %(tracking_id)s ORDER BY booked_at LIMIT 1"


def revision_tracked(connection: Connection, tracking_id: str) -> Revision | None:
    """The revision that came first under a tracking id."""
    row = connection.execute(BY_TRACKING, {"tracking_id": tracking_id}).fetchone()
    return None if row is None else _revision(row)


class Letter(NamedTuple):
    """A refused record of a deal."""

    code: RefusalCode
    problem: str
    booked_at: dt.datetime
    value: bytes


LETTERS: Final[LiteralString] = """
SELECT code, problem, booked_at, value FROM dead_letters
 WHERE source_key = %(deal_id)s ORDER BY booked_at DESC LIMIT %(most)s
"""


def letters(connection: Connection, deal_id: str, rows_max: int) -> list[Letter]:
    """The last refused records that were sent under a deal's id, newest first."""
    found = connection.execute(LETTERS, {"deal_id": deal_id, "most": rows_max})
    return [Letter(RefusalCode(row[0]), row[1], row[2], bytes(row[3])) for row in found]


class Posting(NamedTuple):
    """Something that the API put on the topic."""

    tracking_id: str
    deal_id: DealId
    source: str
    revision: int
    posted_by: str
    posted_at: dt.datetime


POST: Final[LiteralString] = """
INSERT INTO postings (tracking_id, deal_id, source, revision, posted_by, posted_at)
SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::bigint[], %s::text[],
                     %s::timestamptz[])
    ON CONFLICT (tracking_id) DO NOTHING
"""
POSTED: Final[LiteralString] = """
SELECT tracking_id, deal_id, source, revision, posted_by, posted_at FROM postings
 WHERE tracking_id = %(tracking_id)s
"""
FORGET: Final[LiteralString] = """
DELETE FROM postings WHERE posted_at < clock_timestamp() - make_interval(hours => %(hours)s)
"""


def note_posted(connection: Connection, postings: Sequence[Posting]) -> None:
    """Remember what was posted."""
    connection.execute(POST, [list(column) for column in zip(*postings, strict=True)])


def posted(connection: Connection, tracking_id: str) -> Posting | None:
    """What was posted under a tracking id."""
    row = connection.execute(POSTED, {"tracking_id": tracking_id}).fetchone()
    return None if row is None else Posting(*row)


def forget_posted(connection: Connection, *, hours: int) -> int:
    """Forget what was posted longer ago; how many."""
    return connection.execute(FORGET, {"hours": hours}).rowcount


COMPLETE: Final[LiteralString] = """
SELECT count(s.partition), min(s.complete_through), i.deals_partitions
  FROM installation i
  LEFT JOIN source_states s ON s.source = %(source)s AND s.partition < i.deals_partitions
 GROUP BY i.deals_partitions
"""


def complete_through(connection: Connection, source: str) -> dt.datetime | None:
    """Up to when a source has sent everything; None: not every partition has heard it say so."""
    row = connection.execute(COMPLETE, {"source": source}).fetchone()
    if row is None or row[0] < row[2]:
        return None
    at: dt.datetime = row[1]
    return at
