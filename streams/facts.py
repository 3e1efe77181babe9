"""The one encoder of a batch's facts: used when it is published, and when it is published again."""

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from domain.exact import exact_arithmetic
from domain.progress import position_states
from domain.reference import Reference
from domain.terms import terms_of
from schemas.cloudevents import Header, common_headers, event_id, with_id
from schemas.messages import (
    BINDINGS,
    AccrualPosted,
    BatchPublished,
    Cause,
    CreditBooked,
    Message,
    PeriodState,
    ProgressChanged,
    TopicEnd,
)
from schemas.money import text_of
from schemas.state import AccountState, BatchFacts, CreditRow, EntryRow
from streams.ports import Outgoing

SOURCE: Final = "paceboard/deals"
_encode: Final = msgspec.json.Encoder().encode


class _Records:
    """Makes the records of one batch; what all of a kind have in common is made once."""

    def __init__(self, booked_at: dt.datetime) -> None:
        self._booked_at = booked_at
        self._common: dict[type[Message], list[Header]] = {}

    def of(self, message: Message, traceparent: str | None = None) -> Outgoing:
        kind = type(message)
        common = self._common.get(kind)
        if common is None:
            common = common_headers(kind, time=self._booked_at, source=SOURCE)
            self._common[kind] = common
        binding = BINDINGS[kind]
        return Outgoing(
            binding.topic,
            binding.key(message).encode(),
            _encode(message),
            with_id(common, event_id(message), traceparent),
        )


def outgoing(facts: BatchFacts, reference: Reference, *, again: bool = False) -> list[Outgoing]:
    """Credits, entries, progress, dead letters and commands, in this order.

    `again`: what is published again after a claim says `is_replay`.
    """
    with exact_arithmetic():  # terms derived here are remembered, and booked by
        record = _Records(facts.booked_at).of
        return [
            *(record(credit_booked(row, facts, again), row.traceparent) for row in facts.credits),
            *(record(accrual_posted(row, facts, again), row.traceparent) for row in facts.entries),
            *(record(message) for message in _progress(facts, reference, again)),
            *(record(row.message) for row in facts.refused),
            *(record(command) for command in facts.commands),
        ]


def mark(facts: BatchFacts, ends: Mapping[tuple[str, int], int], timeline: int) -> Outgoing:
    """The batch's mark, written last: it says up to where everything of it stands."""
    message = BatchPublished(
        batch=facts.batch,
        booked_at=facts.booked_at,
        timeline=timeline,
        sources=facts.sources,
        accounts=facts.account_versions,
        ends=tuple(
            TopicEnd(topic=topic, partition=partition, next=next_)
            for (topic, partition), next_ in sorted(ends.items())
        ),
    )
    return _Records(facts.booked_at).of(message)


def credit_booked(row: CreditRow, facts: BatchFacts, again: bool) -> CreditBooked:
    """The event of one credit or reversal."""
    credit = row.credit
    return CreditBooked(
        batch=facts.batch,
        booked_at=facts.booked_at,
        is_replay=again or row.is_replay,
        credit_id=credit.credit_id,
        deal_id=credit.deal_id,
        deal_version=row.deal_version,
        deal_source=credit.deal_source,
        deal_revision=credit.deal_revision,
        payee_id=credit.payee_id,
        account_id=credit.account_id,
        role=credit.role,
        credit_type=credit.credit_type,
        ordinal=credit.ordinal,
        amount=text_of(credit.amount),
        currency=credit.currency,
        closed_on=credit.closed_on,
        origin_period=credit.origin_period,
        segment=credit.segment,
        cause=credit.cause,
        reference_version=facts.reference_version,
        period_state=row.period_state,
        reverses=credit.reverses,
    )


def accrual_posted(row: EntryRow, facts: BatchFacts, again: bool) -> AccrualPosted:
    """The event of one entry."""
    entry = row.entry
    is_late = entry.booking_period != entry.origin_period
    return AccrualPosted(
        batch=facts.batch,
        booked_at=facts.booked_at,
        is_replay=again or row.is_replay,
        entry_id=entry.entry_id,
        account_id=entry.account_id,
        account_version=entry.account_version,
        payee_id=entry.payee_id,
        component=entry.component,
        segment=entry.segment,
        origin_period=entry.origin_period,
        booking_period=entry.booking_period,
        kind=entry.kind,
        credited=text_of(entry.credited),
        earned=text_of(entry.earned),
        currency=entry.currency,
        credits=entry.credits,
        credited_after=text_of(entry.credited_after),
        earned_after=text_of(entry.earned_after),
        plan_id=entry.plan_id,
        plan_version=entry.plan_version,
        cause=entry.cause,
        reference_version=facts.reference_version,
        period_state=PeriodState.LOCKED if is_late else PeriodState.OPEN,
    )


def progress_changed(
    account: AccountState,
    reference: Reference,
    *,
    batch: int,
    booked_at: dt.datetime,
    is_replay: bool,
    changed_periods: tuple[str, ...] = (),
    cause: Cause = Cause.DEAL_CHANGED,
) -> ProgressChanged:
    """The state of an account as it is published."""
    return ProgressChanged(
        batch=batch,
        booked_at=booked_at,
        is_replay=is_replay,
        account_id=account.account_id,
        version=account.version,
        payee_id=account.payee_id,
        plan_year=account.plan_year,
        currency=account.currency,
        positions=position_states(account, terms_of(account, reference)),
        changed_periods=changed_periods,
        cause=cause,
    )


def _progress(facts: BatchFacts, reference: Reference, again: bool) -> Iterator[ProgressChanged]:
    touched: dict[str, list[EntryRow]] = {}
    for row in facts.entries:
        touched.setdefault(row.entry.account_id, []).append(row)
    for account in facts.accounts:
        rows = touched.get(account.account_id, [])
        yield progress_changed(
            account,
            reference,
            batch=facts.batch,
            booked_at=facts.booked_at,
            is_replay=again or all(row.is_replay for row in rows),
            changed_periods=tuple(sorted({row.entry.origin_period for row in rows})),
            cause=rows[0].entry.cause if rows else Cause.DEAL_CHANGED,
        )
