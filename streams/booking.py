"""Step 6 of a batch: evaluate each account once, and put together all that the batch books."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from domain import accounts
from domain.reference import Reference
from domain.revisions import merged, named_keys
from schemas.ids import AccountId, tracking_id
from schemas.messages import Cause, PeriodState, SourceRange
from schemas.state import (
    AccountState,
    BatchFacts,
    Credit,
    CreditRow,
    DealRow,
    EntryRow,
    RefusedRow,
    RevisionRow,
    Seen,
)
from streams.decoding import Refused, dead_letter
from streams.preparation import DealStep, Prepared, outcome_of

_TICK = dt.timedelta(microseconds=1)


class Stamp(NamedTuple):
    """What identifies a batch."""

    batch: int
    booked_at: dt.datetime
    topic: str


def accounts_needed(prepared: Prepared) -> dict[AccountId, AccountState]:
    """The accounts its credits belong to, each as it is before its first entry."""
    needed: dict[AccountId, AccountState] = {}
    for step in prepared.steps.values():
        for credit in step.booked:
            if credit.account_id not in needed:
                needed[credit.account_id] = accounts.opened(credit, prepared.reference)
    return needed


def booked_at(
    now: dt.datetime,
    sealed_to: dt.datetime,
    known_at: dt.datetime,
    states: Iterable[AccountState],
    steps: Iterable[DealStep],
) -> dt.datetime:
    """One instant for the batch: after everything it stands on (design decision 7)."""
    latest = max(
        (
            booked
            for booked in (
                *(state.booked_at for state in states),
                *(step.state.booked_at for step in steps),
            )
            if booked is not None
        ),
        default=sealed_to,
    )
    return max(now, sealed_to + _TICK, latest + _TICK, known_at)


def book(
    prepared: Prepared,
    states: Mapping[AccountId, AccountState],
    in_force: Mapping[AccountId, Sequence[Credit]],
    stamp: Stamp,
) -> BatchFacts:
    """All facts of the batch. `in_force`: credits of accounts that a Reaccrue names."""
    steps = [step for step in prepared.steps.values() if step.is_written]
    credits_by_account = _by_account(steps)
    evaluated = {
        account: _evaluate(
            states[account], credits_by_account.get(account, []), prepared.reference, in_force
        )
        for account in sorted({*credits_by_account, *in_force})
        if account in states
    }
    versions = {account: step.account.version for account, step in evaluated.items()}
    live, traces = _live_accounts(steps), _traces(steps)
    refused = [
        *prepared.group.refused,
        *(r for step in prepared.steps.values() for r in step.refused),
    ]
    return BatchFacts(
        batch=stamp.batch,
        booked_at=stamp.booked_at,
        reference_version=prepared.reference.version,
        sources=tuple(
            SourceRange(partition=partition, first=first, next=next_)
            for partition, (first, next_) in sorted(prepared.group.ranges.items())
        ),
        revisions=tuple(row for step in steps for row in _revision_rows(step)),
        deals=tuple(_deal_row(step, stamp.booked_at, prepared.reference) for step in steps),
        credits=tuple(
            _credit_row(credit, step, versions, prepared.reference)
            for step in steps
            for credit in step.booked
        ),
        entries=tuple(
            EntryRow(entry=entry, is_replay=account not in live, traceparent=traces.get(account))
            for account, step in evaluated.items()
            for entry in step.entries
        ),
        accounts=tuple(
            msgspec.structs.replace(step.account, booked_at=stamp.booked_at)
            for account, step in evaluated.items()
            if versions[account] != states[account].version
        ),
        account_versions={a: v for a, v in versions.items() if v != states[a].version},
        refused=tuple(_refused_row(refusal, stamp) for refusal in refused),
        complete_through=tuple(prepared.group.stamps),
        is_replay=not live,
    )


def _evaluate(
    state: AccountState,
    credits: list[Credit],
    reference: Reference,
    in_force: Mapping[AccountId, Sequence[Credit]],
) -> accounts.AccountStep:
    causes = {credit.cause for credit in credits} or {Cause.COMMAND}
    cause = causes.pop() if len(causes) == 1 else Cause.DEAL_CHANGED
    step = accounts.evaluate(
        state,
        credits,
        accounts.terms_of(state, reference),
        cause,
        in_force=in_force.get(state.account_id),
    )
    if credits and not step.entries:  # no component counts them; the account has moved all the same
        moved = msgspec.structs.replace(step.account, version=state.version + 1)
        return accounts.AccountStep(moved, ())
    return step


def _by_account(steps: Iterable[DealStep]) -> dict[AccountId, list[Credit]]:
    by_account: dict[AccountId, list[Credit]] = {}
    for step in steps:
        for credit in step.booked:
            by_account.setdefault(credit.account_id, []).append(credit)
    return by_account


def _live_accounts(steps: Iterable[DealStep]) -> set[AccountId]:
    """Accounts touched by something that is not a replay."""
    return {credit.account_id for s in steps if not s.is_replay for credit in s.booked}


def _traces(steps: Iterable[DealStep]) -> dict[AccountId, str | None]:
    """The trace of an account's entries, where all come from one."""
    traces: dict[AccountId, str | None] = {}
    for step in steps:
        for account in {credit.account_id for credit in step.booked}:
            known = traces.setdefault(account, step.traceparent)
            if known != step.traceparent:
                traces[account] = None
    return traces


def _revision_rows(step: DealStep) -> Iterable[RevisionRow]:
    for change, outcome in step.received:
        deal = change.deal
        yield RevisionRow(
            deal_id=step.state.deal_id,
            seen=Seen(
                source=deal.source,
                key=deal.key,
                revision=deal.revision,
                digest=change.digest,
            ),
            changed_on=deal.changed_on,
            outcome=outcome.value,
            content=change.value,
            tracking_id=tracking_id(deal.source, deal.key, deal.revision, change.digest),
            traceparent=change.traceparent,
            deal_version=step.before + 1,
            partition=change.partition,
            offset=change.offset,
        )


def _deal_row(step: DealStep, at: dt.datetime, reference: Reference) -> DealRow:
    state = msgspec.structs.replace(step.state, version=step.before + 1, booked_at=at)
    content = merged(state)
    assert content is not None, "a deal is written only with a revision"
    return DealRow(
        state=state,
        content=content,
        closed_on=reference.closed_day(content),
        outcome=outcome_of(state),
        named=named_keys(state),
        holds_changed=step.holds_changed,
    )


def _credit_row(
    credit: Credit, step: DealStep, versions: Mapping[AccountId, int], reference: Reference
) -> CreditRow:
    period = reference.period(credit.origin_period)
    return CreditRow(
        credit=credit,
        deal_version=step.before + 1,
        account_version=versions[credit.account_id],
        period_state=period.state if period else PeriodState.OPEN,
        is_replay=step.is_replay,
        traceparent=step.traceparent,
    )


def _refused_row(refused: Refused, stamp: Stamp) -> RefusedRow:
    message = dead_letter(refused, topic=stamp.topic, batch=stamp.batch, booked_at=stamp.booked_at)
    return RefusedRow(message=message, value=refused.record.value or b"")
