"""Statements as people read them: of an open period as it stands, of a locked one as frozen.

The lines are those of domain/deriving.py, whose sums are checked against the ledger before anything
is shown. Of a locked period whose statement is not frozen yet, they are derived under the lock's
own reference data, as freezing will derive them.
"""

import datetime as dt
import threading
from collections import defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from api import periods, progress
from api.lists import Asked
from api.world import World
from db import feed, reference, standings
from db import periods as period_rows
from db import progress as progress_rows
from db import statements as rows
from db.connect import Connection
from db.feed import DealName
from db.periods import Lock
from db.statements import Kept, Sum
from domain import wording
from domain.deriving import derive
from domain.exact import exact_arithmetic
from domain.pay import slices
from domain.reference import Reference
from domain.terms import AccountTerms
from schemas.answers import (
    Lines,
    LineView,
    StatementAccount,
    StatementAnswer,
    StatementPart,
    StatementRow,
    Statements,
)
from schemas.ids import AccountId, PayeeId, PeriodId
from schemas.messages import PeriodState
from schemas.money import ZERO, ratio, text_of
from schemas.reference import Period
from schemas.state import Line

_KNOWN_MAX: Final = 8
_NO_NAME: Final = DealName(None, None, None, None)
_LONG_AGO: Final = dt.date(1, 1, 1)


class Account(NamedTuple):
    """One account's statement."""

    account_id: AccountId
    lines: tuple[Line, ...]
    earned: Decimal
    statement_hash: str
    frozen_at: dt.datetime | None


class Whole(NamedTuple):
    """A payee's statement of a period, and the reference data that its rates are of."""

    payee_id: PayeeId
    period: Period
    accounts: tuple[Account, ...]
    reference: Reference

    @property
    def lines(self) -> list[tuple[AccountId, Line]]:
        """All lines, with their accounts."""
        return [(one.account_id, line) for one in self.accounts for line in one.lines]


class Locks:
    """Reference data as it was at locks; a lock never changes, so it is read once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[int, Reference] = {}

    def reference(self, connection: Connection, lock: Lock) -> Reference:
        """What was known when the period was locked."""
        with self._lock:
            found = self._known.get(lock.reference_version)
        if found is None:
            found = Reference(reference.read_within(connection, known_at=lock.known_at))
            with self._lock:
                self._known[lock.reference_version] = found
                if len(self._known) > _KNOWN_MAX:
                    del self._known[next(iter(self._known))]
        return found


def listed(connection: Connection, world: World, payee_id: PayeeId) -> Statements:
    """A payee's statements, the newest period first. Call it in one snapshot."""
    by_period = {one.period_id: one for one in rows.sums(connection, payee_id)}
    found = [period for period in world.reference.rows.periods if period.period_id in by_period]
    found.sort(key=lambda period: period.starts_on, reverse=True)
    return Statements(
        payee=world.ref(payee_id),
        rows=tuple(_listed(period, by_period[period.period_id]) for period in found),
    )


def _listed(period: Period, found: Sum) -> StatementRow:
    is_frozen = found.frozen == found.accounts
    return StatementRow(
        period=period.period_id,
        period_name=periods.name(period),
        starts_on=period.starts_on,
        ends_on=period.ends_on,
        state=period.state,
        earned=text_of(found.earned),
        currency=found.currency,
        line_count=found.line_count if is_frozen else None,
        statement_hashes=found.hashes if is_frozen else (),
        frozen_at=found.frozen_at if is_frozen else None,
    )


def whole(
    connection: Connection, world: World, locks: Locks, payee_id: PayeeId, period: Period
) -> Whole:
    """The statement. Call it in one snapshot, within `exact_arithmetic`."""
    kept = rows.kept(connection, payee_id, period.period_id)
    lock = next(
        (one for one in period_rows.locks(connection) if one.period_id == period.period_id), None
    )
    known = world.reference if lock is None else locks.reference(connection, lock)
    frozen = {one.account_id for one in kept}
    open_ = [
        account
        for account in rows.accounts_with_entries(connection, payee_id, period.period_id)
        if account not in frozen
    ]
    found = [_kept(one) for one in kept]
    if open_:
        found += _derived(connection, period, known, open_, lock)
    found.sort(key=lambda one: one.account_id)
    return Whole(payee_id, period, tuple(found), known)


def _kept(one: Kept) -> Account:
    return Account(one.account_id, one.lines, one.earned, one.statement_hash, one.frozen_at)


def _derived(
    connection: Connection,
    period: Period,
    known: Reference,
    accounts: Sequence[AccountId],
    lock: Lock | None,
) -> list[Account]:
    ordered = sorted(known.rows.periods, key=lambda one: one.starts_on)
    earlier = [one.period_id for one in ordered if one.starts_on < period.starts_on]
    limit = rows.NO_LIMIT if lock is None else lock.reference_version
    bases = rows.bases(
        connection, period.period_id, accounts, earlier=earlier, before_version=limit
    )
    derived = [derive(basis, known) for basis in bases]
    return [
        Account(one.account_id, one.lines, one.earned, one.statement_hash, None) for one in derived
    ]


def answer(
    connection: Connection, world: World, locks: Locks, payee_id: PayeeId, period: Period
) -> StatementAnswer:
    """The statement's totals and parts. Call it in one snapshot."""
    counted = progress_rows.versions(connection, [payee_id])[payee_id]
    complete_seconds = progress_rows.complete_seconds(connection)
    with exact_arithmetic():
        found = whole(connection, world, locks, payee_id, period)
        lines = [line for _, line in found.lines]
        booked = progress_rows.booked(connection, payee_id, period.period_id)
        return StatementAnswer(
            payee=world.ref(payee_id),
            stamps=periods.stamps(
                world,
                period.period_id,
                complete_through=standings.complete_through(connection),
                currency=world.reference.currency,
            ),
            accounts=tuple(map(_account, found.accounts)),
            credited=text_of(_headline(found)),
            earned=text_of(sum((line.earned for line in lines), ZERO)),
            earned_by_entries=text_of(sum((row.earned for row in booked), ZERO)),
            parts=_parts(world, period, lines),
            line_count=len(lines),
            is_frozen=bool(found.accounts)
            and all(one.frozen_at is not None for one in found.accounts),
            version=progress.version(world, counted, complete_seconds),
        )


def _account(one: Account) -> StatementAccount:
    return StatementAccount(
        account_id=one.account_id,
        earned=text_of(one.earned),
        line_count=len(one.lines),
        statement_hash=one.statement_hash,
        is_frozen=one.frozen_at is not None,
        frozen_at=one.frozen_at,
    )


def _headline(found: Whole) -> Decimal:
    """What counts for attainment, of the period itself."""
    terms = AccountTerms(found.payee_id, found.reference)
    credited = ZERO
    for _, line in found.lines:
        part = terms.of(line.segment, line.origin_period).by_name.get(line.component)
        if line.origin_period == found.period.period_id and part and part.counts_for_attainment:
            credited += line.credited
    return credited


def _parts(world: World, period: Period, lines: Iterable[Line]) -> tuple[StatementPart, ...]:
    groups: dict[tuple[str, str], list[Line]] = defaultdict(list)
    for line in lines:
        groups[line.origin_period, line.component].append(line)
    order = {one.period_id: one.starts_on for one in world.reference.rows.periods}
    own_first = sorted(
        groups,
        key=lambda key: (
            key[0] != period.period_id,
            order.get(PeriodId(key[0]), _LONG_AGO),
            key[1],
        ),
    )
    return tuple(
        StatementPart(
            component=component,
            component_words=wording.component(component),
            origin_period=origin,
            origin_period_name=_period_name(world, origin),
            is_correction=origin != period.period_id,
            credited=text_of(sum((line.credited for line in groups[origin, component]), ZERO)),
            earned=text_of(sum((line.earned for line in groups[origin, component]), ZERO)),
            lines=len(groups[origin, component]),
        )
        for origin, component in own_first
    )


# ---- lines ---------------------------------------------------------------------------------------


def page(
    connection: Connection,
    world: World,
    locks: Locks,
    payee_id: PayeeId,
    period: Period,
    asked: Asked,
) -> Lines:
    """A page of its lines. Call it in one snapshot."""
    with exact_arithmetic():
        found = whole(connection, world, locks, payee_id, period)
        rates = _rates(found)
        lines = found.lines
        text = asked.filters.get("q")
        names = _names(connection, lines) if text else {}
        wanted = [one for one in lines if _is_wanted(one[1], asked, found.period, names)]
        shown = asked.page_of_all(wanted, key=line_key)
        names = names or _names(connection, shown.rows)
        views = tuple(
            _view(world, found, account, line, rates.get((account, line.ordinal)), names)
            for account, line in shown.rows
        )
    return Lines(rows=views, next_cursor=shown.next_cursor)


LINE_KEY: Final = (dt.date, str, str, str, str, str, str, str)


def line_key(one: tuple[AccountId, Line]) -> tuple[dt.date, str, str, str, str, str, str, str]:
    """What never changes of a line: a deal credited anew has another credit, so another line."""
    account, line = one
    return (
        line.closed_on or _LONG_AGO,
        line.deal_id or "",
        account,
        line.origin_period,
        line.component,
        line.segment,
        line.role.value if line.role else "",
        line.credit_id or "",
    )


def _names(connection: Connection, lines: Iterable[tuple[AccountId, Line]]) -> dict[str, DealName]:
    return feed.names(connection, sorted({line.deal_id for _, line in lines if line.deal_id}))


def _is_wanted(line: Line, asked: Asked, period: Period, names: dict[str, DealName]) -> bool:
    wanted = asked.filters
    if wanted.get("component", line.component) != line.component:
        return False
    if "role" in wanted and wanted["role"] is not line.role:
        return False
    is_correction = line.origin_period != period.period_id
    if wanted.get("is_correction", is_correction) != is_correction:
        return False
    text = str(wanted.get("q", "")).lower()
    if not text:
        return True
    deal = names.get(line.deal_id or "", _NO_NAME)
    said = (line.deal_id or "", deal.name or "", deal.customer or "")
    return any(text in one.lower() for one in said)


def _rates(found: Whole) -> dict[tuple[AccountId, int], str]:
    """The rate that each line of the period itself was paid at, where it is one."""
    terms = AccountTerms(found.payee_id, found.reference)
    credited: dict[tuple[str, str, str], Decimal] = defaultdict(lambda: ZERO)
    rates: dict[tuple[AccountId, int], str] = {}
    for account, line in found.lines:
        part = terms.of(line.segment, line.origin_period).by_name.get(line.component)
        if part is None or line.origin_period != found.period.period_id:
            continue
        cell = (account, line.segment, line.component)
        before = credited[cell]
        credited[cell] = after = before + line.credited
        paid = {one.rate for one in slices(before, after, part.ladder)}
        if len(paid) == 1:
            rates[account, line.ordinal] = wording.rate(paid.pop())
    return rates


def _view(
    world: World,
    found: Whole,
    account: AccountId,
    line: Line,
    rate: str | None,
    names: dict[str, DealName],
) -> LineView:
    is_correction = line.origin_period != found.period.period_id
    is_final = found.period.state is PeriodState.LOCKED
    deal = names.get(line.deal_id or "", _NO_NAME)
    same_currency = deal.currency == world.reference.currency
    share = ratio(line.credited, deal.amount) if deal.amount and same_currency else None
    return LineView(
        account_id=account,
        ordinal=line.ordinal,
        deal_id=line.deal_id,
        key=None if line.deal_id is None else wording.key_of(line.deal_id),
        deal_name=deal.name,
        customer=deal.customer,
        deal_amount=None if deal.amount is None else text_of(deal.amount),
        deal_currency=deal.currency,
        closed_on=line.closed_on,
        role=line.role,
        share=None if share is None or is_correction else text_of(share),
        component=line.component,
        component_words=wording.component(line.component),
        origin_period=line.origin_period,
        is_correction=is_correction,
        credited=text_of(line.credited),
        earned=text_of(line.earned),
        effective_rate_text=rate,
        state="final" if is_final else "provisional",
        cause_words=_cause(world, line, is_correction),
        plan_id=line.plan_id,
        plan_version=line.plan_version,
        deal_source=line.deal_source,
        deal_revision=line.deal_revision,
        credit_id=line.credit_id,
    )


def _cause(world: World, line: Line, is_correction: bool) -> str:
    """ "SO69393, revision 3", or which earlier period a correction is of."""
    deal = "" if line.deal_id is None else wording.key_of(line.deal_id)
    revision = "" if line.deal_revision is None else f", revision {line.deal_revision}"
    if is_correction:
        return f"correction of {_period_name(world, line.origin_period)}: {deal}{revision}"
    return f"{deal}{revision}"


def _period_name(world: World, period_id: str) -> str:
    period = world.reference.period(PeriodId(period_id))
    return periods.name(period) if period else period_id
