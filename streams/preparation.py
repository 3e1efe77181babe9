"""Step 2 of a batch: what its records say, deal by deal, and what must be booked for each deal.

`group` looks at the records alone, `decide` adds the deals' states and the reference data; both are
pure, so a batch can be decided again behind the turnstile, or in halves.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from domain import crediting, revisions
from domain.contract import Refusal
from domain.reference import Reference
from domain.revisions import Outcome
from schemas import limits
from schemas.ids import AccountId, DealId
from schemas.messages import (
    Cause,
    Drain,
    Reaccrue,
    RecreditDeal,
    RefusalCode,
    SourceCompleteThrough,
)
from schemas.state import CompleteThrough, Credit, DealOutcome, DealState
from schemas.transaction import Fenced
from streams.decoding import Change, Decoded, Refused, decode
from streams.ports import Record, Slice


class Item(NamedTuple):
    """One record, decoded, with its place."""

    partition: int
    record: Record
    decoded: Decoded


class Group(NamedTuple):
    """A batch's records by what they are about. Offsets [first, next) of each partition."""

    items: Sequence[Item]
    ranges: Mapping[int, tuple[int, int]]
    changes: Mapping[DealId, Sequence[Change]]
    recredits: frozenset[DealId]
    reaccrues: frozenset[AccountId]
    stamps: Sequence[CompleteThrough]
    refused: Sequence[Refused]

    def deals(self) -> list[DealId]:
        """Every deal the batch is about."""
        return [*self.changes, *(self.recredits - self.changes.keys())]


class DealStep(NamedTuple):
    """What a batch does to one deal."""

    before: int  # the version it was decided on; 0: unknown
    state: DealState  # after it; its version is still the one before
    booked: tuple[Credit, ...]
    received: tuple[tuple[Change, Outcome], ...]  # without duplicates
    refused: tuple[Refused, ...]
    is_written: bool
    holds_changed: bool
    is_replay: bool
    traceparent: str | None


class Prepared(NamedTuple):
    """A batch decided on the states of the deals and one version of the reference data."""

    group: Group
    steps: Mapping[DealId, DealStep]
    reference: Reference


def check_delivered(slices: Iterable[Slice], positions: Mapping[int, int]) -> None:
    """Nothing may be missing between where preparation stands and where a slice goes on.

    Raises Fenced: the worker then joins anew and reads again. Control records are no hole: `since`
    is the end of what was read before, not the first offset.
    """
    at = dict(positions)
    for part in _in_order(slices):
        if part.since > at[part.partition]:
            raise Fenced(
                f"partition {part.partition}: offsets {at[part.partition]} to {part.since} were "
                "not delivered"
            )
        at[part.partition] = max(at[part.partition], part.records[-1].offset + 1)


def _in_order(slices: Iterable[Slice]) -> list[Slice]:
    return sorted(slices, key=lambda part: (part.partition, part.records[0].offset))


def decode_slices(slices: Iterable[Slice], positions: Mapping[int, int]) -> list[Item]:
    """The records at or above each partition's position, by partition, in order."""
    return [
        Item(part.partition, record, decode(record, part.partition))
        for part in _in_order(slices)
        for record in part.records
        if record.offset >= positions[part.partition]
    ]


def group(items: Sequence[Item], positions: Mapping[int, int]) -> Group:
    """The items by what they are about; each partition's range starts at its position."""
    ranges: dict[int, tuple[int, int]] = {}
    changes: dict[DealId, list[Change]] = {}
    recredits: set[DealId] = set()
    reaccrues: set[AccountId] = set()
    stamps: list[CompleteThrough] = []
    refused: list[Refused] = []
    for partition, record, decoded in items:
        first = ranges[partition][0] if partition in ranges else positions[partition]
        ranges[partition] = (first, record.offset + 1)
        match decoded:
            case Change():
                changes.setdefault(DealId(decoded.deal.deal_id), []).append(decoded)
            case RecreditDeal():
                recredits.add(DealId(decoded.deal_id))
            case Reaccrue():
                reaccrues.add(AccountId(decoded.account_id))
            case SourceCompleteThrough():
                stamps.append(
                    CompleteThrough(
                        source=decoded.source, partition=partition, at=decoded.complete_through
                    )
                )
            case Refused():
                refused.append(decoded)
            case Drain():
                pass  # its offset is all there is to it
    return Group(
        items, ranges, changes, frozenset(recredits), frozenset(reaccrues), stamps, refused
    )


def decide(records: Group, states: Mapping[DealId, DealState], reference: Reference) -> Prepared:
    """The step of every deal. Must run within `exact_arithmetic`."""
    steps = steps_of(records.deals(), records, states, reference)
    return Prepared(records, steps, reference)


def steps_of(
    deals: Iterable[DealId],
    records: Group,
    states: Mapping[DealId, DealState],
    reference: Reference,
) -> dict[DealId, DealStep]:
    """The steps of some of the deals; one without a state is unknown yet."""
    return {
        deal_id: step(
            states.get(deal_id) or DealState(deal_id=deal_id),
            records.changes.get(deal_id, ()),
            deal_id in records.recredits,
            reference,
        )
        for deal_id in deals
    }


def step(
    before: DealState, changes: Sequence[Change], is_recredited: bool, reference: Reference
) -> DealStep:
    """One deal: merge what has come, then credit once."""
    state = before
    received: list[tuple[Change, Outcome]] = []
    refused: list[Refused] = []
    for change in changes:
        merge = revisions.merge(state, change.deal, change.digest)
        if merge.outcome is Outcome.DUPLICATE:
            continue
        if revisions.is_full(state):
            refused.append(_too_many(change))
            continue
        state = merge.state
        received.append((change, merge.outcome))
        if merge.outcome is Outcome.CONFLICT:
            refused.append(_conflict(change))
    booked: tuple[Credit, ...] = ()
    if received or (is_recredited and state.seen):
        cause = Cause.DEAL_CHANGED if received else Cause.COMMAND
        state, booked = crediting.credit(state, reference, cause)
    live = [change for change, _ in received if not change.is_replay]
    return DealStep(
        before=before.version,
        state=state,
        booked=booked,
        received=tuple(received),
        refused=tuple(refused),
        is_written=state != before,
        holds_changed=(state.held, state.not_eligible) != (before.held, before.not_eligible),
        is_replay=not live,
        traceparent=received[-1][0].traceparent if received else None,
    )


def outcome_of(state: DealState) -> DealOutcome:
    """What has become of a deal, for lists and counts."""
    if state.not_eligible is not None:
        return DealOutcome.NOT_ELIGIBLE
    if state.held:
        return DealOutcome.HELD
    return DealOutcome.CREDITED if state.credits else DealOutcome.NOT_COUNTED


def _refused(change: Change, code: RefusalCode, problem: str) -> Refused:
    record = Record(change.offset, change.deal.deal_id.encode(), change.value, ())
    return Refused(Refusal(code, "revision", problem), record, change.partition)


def _too_many(change: Change) -> Refused:
    problem = f"the deal has {limits.DEAL_REVISIONS_MAX} revisions already"
    return _refused(change, RefusalCode.TOO_MANY_REVISIONS, problem)


def _conflict(change: Change) -> Refused:
    problem = (
        f"revision {change.deal.revision} of source '{change.deal.source}' came with another"
        " content before"
    )
    return _refused(change, RefusalCode.EQUAL_REVISION_CONFLICT, problem)
