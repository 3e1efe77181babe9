"""What became of a deal, in words. Pure."""

from collections.abc import Callable, Sequence
from typing import Final

from domain import wording
from schemas.ids import PayeeId
from schemas.messages import DealChanged, DealStatus, RefusalCode, Role
from schemas.money import exact
from schemas.refusals import HOLDS, REMEDIES
from schemas.state import DealState, HoldReason

NameOf = Callable[[PayeeId], str | None]  # None: of whom the reader may know nothing

HOLD_WORDS: Final[dict[HoldReason, str]] = {
    HoldReason.NO_OWNER: "nobody is named as its owner",
    HoldReason.UNKNOWN_PAYEE: "the source's key belongs to no person",
    HoldReason.NO_PLAN: "no plan on its date",
    HoldReason.NO_QUOTA_PERIOD: "no period contains its date",
    HoldReason.NO_QUOTA: "no quota, and the plan pays by attainment",
    HoldReason.UNKNOWN_CURRENCY: "its currency is not known",
    HoldReason.NO_EXCHANGE_RATE: "no exchange rate on its date",
}
_NOT_WON: Final[dict[DealStatus, str]] = {
    DealStatus.OPEN: "Not counted: it is still open. It counts from the day on which it is won.",
    DealStatus.LOST: "Not counted: it was lost.",
    DealStatus.CANCELLED: "Not counted: it was cancelled; what had been credited is taken back.",
}
_FIELDS_SHOWN: Final = (
    ("status", "status"),
    ("amount", "amount"),
    ("currency", "currency"),
    ("closed_on", "closed on"),
    ("closed_at", "closed at"),
    ("owner_key", "owner"),
    ("splits", "shares"),
    ("channel", "channel"),
    ("customer", "customer"),
    ("name", "name"),
    ("lines", "lines"),
    ("stage", "stage"),
    ("territory_key", "territory"),
    ("milestones", "milestones"),
    ("type", "type"),
)
_IN_FULL: Final = ("status", "currency", "closed_on", "channel", "stage")


def words(state: DealState, deal: DealChanged, name_of: NameOf) -> str:
    """One sentence: what became of a deal, and why."""
    if state.not_eligible is not None:
        return f"Not eligible: {state.not_eligible.reason.rstrip('.')}."
    if state.held:
        reasons = dict.fromkeys(HOLD_WORDS[one.reason] for one in state.held)
        waiting = "It waits" if len(state.held) == 1 else f"{len(state.held)} shares wait"
        return f"Held: {'; '.join(reasons)}. {waiting} and will be credited by itself once mended."
    if state.credits:
        return _credited(state, name_of)
    return _NOT_WON.get(deal.status, "Not counted: it has no date on which it was won.")


def next_step(state: DealState) -> str | None:
    """What somebody has to do, when there is something to do."""
    steps = dict.fromkeys(HOLDS[one.reason] for one in state.held)
    return " ".join(steps) or None


def refused(code: RefusalCode, problem: str) -> tuple[str, str]:
    """What was wrong with a record, and what to do."""
    return f"Refused: {problem.rstrip('.')}.", REMEDIES[code]


def superseded(source: str, counts: int) -> str:
    """Why a revision does not count."""
    return f"Superseded: {source}'s revision {counts} counts."


def changed(before: DealChanged | None, after: DealChanged) -> str:
    """What a revision says anew, against the one below it: "amount 49,820.00 -> 52,756.09"."""
    if before is None:
        return "first revision of this source"
    parts = [
        _change(field, label, before, after)
        for field, label in _FIELDS_SHOWN
        if getattr(before, field) != getattr(after, field)
    ]
    return "; ".join(parts) or "nothing that counts"


def _change(field: str, label: str, before: DealChanged, after: DealChanged) -> str:
    then, now = getattr(before, field), getattr(after, field)
    if field == "amount":
        then, now = (None if one is None else wording.money(exact(one)) for one in (then, now))
    elif field not in _IN_FULL:
        return f"{label} changed"
    return f"{label} {_shown(then)} -> {_shown(now)}"


def _shown(value: object) -> str:
    return "none" if value is None else str(value)


def _credited(state: DealState, name_of: NameOf) -> str:
    direct = [one.payee_id for one in state.credits if one.role is not Role.ROLLUP]
    payees = tuple(dict.fromkeys(direct))
    known = [name for name in map(name_of, payees) if name is not None]
    others = len(payees) - len(known)
    if others:
        known.append(wording.count(others, "colleague") if known else "a colleague")
    return f"Credited to {_listed(known)}."


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
