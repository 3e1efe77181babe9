"""The feed: what changed for a payee and why, newest first, one line per cause.

Three kinds of facts, each a page of its own by (booked_at, id), are merged: entries of the ledger,
steps of alerts, statements frozen. An item never changes once it is there.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple

from api import alertviews, periods
from api.lists import Asked
from api.world import World
from db import feed as rows
from db.connect import Connection
from db.feed import AlertChange, DealName, EntryChange, Frozen
from domain import wording
from domain.clock import business_at
from domain.exact import exact_arithmetic
from domain.pay import payout, slices
from domain.statements import canonical_order
from domain.terms import AccountTerms, ComponentTerms
from schemas import limits
from schemas.answers import FeedDeal, FeedItem, FeedPage
from schemas.ids import PayeeId, PeriodId
from schemas.messages import Cause
from schemas.money import ZERO, text_of
from schemas.reference import Period
from schemas.state import Credit

KINDS: Final = ("credit", "correction", "alert", "lock")
_MONEY_KINDS: Final = {None: None, "credit": False, "correction": True}
_CHANGES: Final[dict[Cause, str]] = {
    Cause.DEAL_CREDITED: "",
    Cause.DEAL_CHANGED: "changed at its source",
    Cause.DEAL_CANCELLED: "cancelled",
    Cause.REFERENCE_CHANGED: "credited again: people, quotas or rules changed",
    Cause.COMMAND: "credited again: people, quotas or rules changed",
}
_EVENTS: Final = {"raised": "Alert", "updated": "Alert, anew", "cleared": "Cleared"}


class _Change(NamedTuple):
    """A fact of any kind with its place in the list."""

    booked_at: dt.datetime
    id: str
    fact: EntryChange | AlertChange | Frozen


def page(connection: Connection, world: World, payee_id: PayeeId, asked: Asked) -> FeedPage:
    """A page of the feed. Call it in one snapshot, with the world of the same."""
    filters = {name: value for name, value in asked.filters.items() if name != "kind"}
    kind = asked.filters.get("kind")
    found = _changes(connection, asked, payee_id, filters, kind)
    shown = asked.page(found, lambda change: (change.booked_at, change.id))
    entries = [one.fact for one in shown.rows if isinstance(one.fact, EntryChange)]
    with exact_arithmetic():
        deals = _Deals(connection, world, payee_id, entries)
        items = tuple(_item(world, change, deals) for change in shown.rows)
    return FeedPage(rows=items, next_cursor=shown.next_cursor)


def _changes(
    connection: Connection,
    asked: Asked,
    payee_id: PayeeId,
    filters: dict[str, Any],
    kind: str | None,
) -> list[_Change]:
    keyset = asked.keyset
    found: list[_Change] = []
    if kind in _MONEY_KINDS:
        entries = rows.entries(
            connection, keyset, payee_id, filters, corrections=_MONEY_KINDS[kind]
        )
        found += [_Change(one.booked_at, one.entry_id, one) for one in entries]
    if kind in (None, "alert"):
        alerts = rows.alerts(connection, keyset, payee_id, filters)
        found += [
            _Change(one.booked_at, f"alert:{one.alert_id}:{one.version}", one) for one in alerts
        ]
    if kind in (None, "lock"):
        frozen = rows.frozen(connection, keyset, payee_id, filters)
        found += [
            _Change(one.booked_at, f"lock:{one.account_id}:{one.period}", one) for one in frozen
        ]
    found.sort(key=lambda one: one[:2], reverse=keyset.is_descending)
    return found[: keyset.rows_max]


def _item(world: World, change: _Change, deals: "_Deals") -> FeedItem:
    match change.fact:
        case EntryChange():
            return _entry(world, change, change.fact, deals.of(change.fact))
        case AlertChange():
            return _alert(world, change, change.fact)
        case Frozen():
            return _lock(world, change, change.fact)


# ---- money ---------------------------------------------------------------------------------------


class _Deals:
    """The deals behind entries: what each was credited, and what it paid as it arrived."""

    def __init__(
        self,
        connection: Connection,
        world: World,
        payee_id: PayeeId,
        entries: Sequence[EntryChange],
    ) -> None:
        self._terms = AccountTerms(payee_id, world.reference)
        self._credits: dict[tuple[int, str, str, str], list[Credit]] = defaultdict(list)
        batches = [entry.batch for entry in entries]
        accounts = sorted({entry.account_id for entry in entries})
        for batch, credit in rows.credits_of(connection, batches, accounts):
            cell = (batch, credit.account_id, credit.segment, credit.origin_period)
            self._credits[cell].append(credit)
        wanted = {credit.deal_id for found in self._credits.values() for credit in found}
        self._names = rows.names(connection, sorted(wanted))

    def of(self, entry: EntryChange) -> tuple[FeedDeal, ...]:
        """In canonical order; a deal whose credit and reversal cancel out is left out."""
        terms = self._terms.of(entry.segment, entry.origin_period)
        part = terms.by_name.get(entry.component)
        cell = (entry.batch, entry.account_id, entry.segment, entry.origin_period)
        net: dict[str, Decimal] = defaultdict(lambda: ZERO)
        for credit in sorted(self._credits.get(cell, ()), key=canonical_order):
            counted = terms.by_credit.get((credit.role, credit.credit_type), ())
            if part is not None and part in counted:
                net[credit.deal_id] += credit.amount
        moved = [(deal, amount) for deal, amount in net.items() if amount]
        shares = _shares(entry, part, [amount for _, amount in moved])
        return tuple(
            self._deal(deal, amount, earned, rate)
            for (deal, amount), (earned, rate) in zip(moved, shares, strict=True)
        )

    def _deal(
        self, deal_id: str, amount: Decimal, earned: Decimal | None, rate: str | None
    ) -> FeedDeal:
        key = wording.key_of(deal_id)
        known = self._names.get(deal_id, DealName(None, None, None, None))
        paid = "" if earned is None else f", {wording.change(earned)}"
        at = f" at {rate}" if rate and earned else ""
        return FeedDeal(
            deal_id=deal_id,
            key=key,
            name=known.name,
            credited=text_of(amount),
            earned=None if earned is None else text_of(earned),
            rate_text=rate,
            words=f"{key}: {wording.money(amount)} credited{paid}{at}",
        )


def _shares(
    entry: EntryChange, part: ComponentTerms | None, amounts: Sequence[Decimal]
) -> list[tuple[Decimal | None, str | None]]:
    """What each deal paid as it arrived, and its rate. Unknown where the terms of then are no
    longer those of now, so that the shares would not sum to the entry."""
    before = entry.credited_after - entry.credited
    at = before
    found: list[tuple[Decimal | None, str | None]] = []
    for amount in amounts:
        if part is None:
            break
        after = at + amount
        earned = payout(after, part.ladder) - payout(at, part.ladder)
        rates = {one.rate for one in slices(at, after, part.ladder)}
        found.append((earned, wording.rate(rates.pop()) if len(rates) == 1 else None))
        at = after
    if part is None or sum((share or ZERO for share, _ in found), ZERO) != entry.earned:
        alone = len(amounts) == 1
        return [(entry.earned if alone else None, None) for _ in amounts]
    return found


def _entry(
    world: World, change: _Change, entry: EntryChange, deals: tuple[FeedDeal, ...]
) -> FeedItem:
    is_correction = entry.origin_period != entry.booking_period
    return FeedItem(
        id=change.id,
        kind="correction" if is_correction else "credit",
        cause=entry.cause.value,
        words=_words(world, entry, deals, is_correction),
        booked_at=entry.booked_at,
        business_at=business_at(world.now.rows, entry.booked_at),
        period=entry.booking_period,
        period_name=_period_name(world, entry.booking_period),
        origin_period=entry.origin_period,
        component=entry.component,
        currency=entry.currency,
        credited=text_of(entry.credited),
        credited_before=text_of(entry.credited_after - entry.credited),
        credited_after=text_of(entry.credited_after),
        earned=text_of(entry.earned),
        earned_before=text_of(entry.earned_after - entry.earned),
        earned_after=text_of(entry.earned_after),
        deals=deals[: limits.FEED_DEALS_MAX],
        deal_count=len(deals),
        is_replay=entry.is_replay,
    )


def _words(world: World, entry: EntryChange, deals: Sequence[FeedDeal], is_correction: bool) -> str:
    """ "SO69393: 32,184.03 credited, +482.76 at 1.5 %"; several deals are counted."""
    why = _CHANGES[entry.cause]
    if not deals:
        told = f"{why[:1].upper()}{why[1:]}" if why else "Pay changed"
        text = f"{told}: {wording.change(entry.earned)}"
    elif len(deals) == 1:
        only = deals[0]
        text = only.words.replace(":", f" {why}:", 1) if why else only.words
    else:
        counted = wording.count(len(deals), "deal")
        text = (
            f"{counted}{f' {why}' if why else ''}: {wording.money(entry.credited)} credited, "
            f"{wording.change(entry.earned)}"
        )
    if is_correction:
        return f"Correction of {_period_name(world, entry.origin_period)}: {text}"
    return text


# ---- alerts and locks ----------------------------------------------------------------------------


def _alert(world: World, change: _Change, event: AlertChange) -> FeedItem:
    return _bare(
        world,
        change,
        kind="alert",
        cause=event.event,
        period=event.period,
        words=f"{_EVENTS[event.event]}: {alertviews.evidence(event.alert)}",
    )


def _lock(world: World, change: _Change, statement: Frozen) -> FeedItem:
    name = _period_name(world, statement.period)
    amount = wording.money(statement.earned)
    return _bare(
        world,
        change,
        kind="lock",
        cause="period_locked",
        period=statement.period,
        words=f"{name} is locked: {amount} {statement.currency} is final.",
    )


def _bare(
    world: World, change: _Change, *, kind: str, cause: str, period: str, words: str
) -> FeedItem:
    return FeedItem(
        id=change.id,
        kind=kind,
        cause=cause,
        words=words,
        booked_at=change.booked_at,
        business_at=business_at(world.now.rows, change.booked_at),
        period=period,
        period_name=_period_name(world, period),
        origin_period=None,
        component=None,
        currency=None,
        credited=None,
        credited_before=None,
        credited_after=None,
        earned=None,
        earned_before=None,
        earned_after=None,
        deals=(),
        deal_count=0,
        is_replay=False,
    )


def _period_name(world: World, period_id: str) -> str:
    period: Period | None = world.reference.period(PeriodId(period_id))
    return periods.name(period) if period else period_id
