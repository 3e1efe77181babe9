"""A deal is its set of revisions: merging one is idempotent, and the order never matters."""

import enum
from bisect import bisect_left
from operator import attrgetter
from typing import Any, Final, NamedTuple

import msgspec

from schemas import limits
from schemas.messages import DealChanged
from schemas.state import DealState, Facet, Seen

# Fields that only make sense together come from one source; every other field by itself.
_GROUPS: Final = (
    ("amount", "currency", "lines"),
    ("owner_key", "splits"),
    ("closed_on", "closed_at"),
    ("stage", "stage_entered_on"),
    ("changed_at",),
    ("name",),
    ("type",),
    ("expected_close_on",),
    ("channel",),
    ("customer",),
    ("territory_key",),
    ("milestones",),
    ("source_url",),
    ("attributes",),
)
_seen_order: Final = attrgetter("source", "key", "revision", "digest")


class Outcome(enum.StrEnum):
    """What a revision did to the set."""

    NEW = "new"  # it is the newest of its source now
    SUPERSEDED = "superseded"  # a newer one is known
    DUPLICATE = "duplicate"  # it was known already
    CONFLICT = "conflict"  # an equal revision with other content is known; the greater digest wins


class Merge(NamedTuple):
    """The deal with the revision in its set."""

    state: DealState
    outcome: Outcome


def merge(state: DealState, change: DealChanged, digest: str) -> Merge:
    """`state` with one more revision. `version` stays: the one who writes the state raises it."""
    seen = Seen(source=change.source, key=change.key, revision=change.revision, digest=digest)
    if not state.seen:
        return Merge(_with(state, (Facet(seen=seen, content=change),), (seen,)), Outcome.NEW)
    place = bisect_left(state.seen, _seen_order(seen), key=_seen_order)
    if place < len(state.seen) and state.seen[place] == seen:
        return Merge(state, Outcome.DUPLICATE)
    everything = (*state.seen[:place], seen, *state.seen[place:])
    facets = _newest(state.facets, Facet(seen=seen, content=change))
    outcome = Outcome.NEW if any(facet.seen is seen for facet in facets) else Outcome.SUPERSEDED
    if _equals_a_neighbour(everything, place):
        outcome = Outcome.CONFLICT
    return Merge(_with(state, facets, everything), outcome)


def is_full(state: DealState) -> bool:
    """Whether the deal has as many revisions as a deal may have."""
    return len(state.seen) >= limits.DEAL_REVISIONS_MAX


def merged(state: DealState) -> DealChanged | None:
    """The deal as its facets together tell it; None before the first.

    Today the source that opened the deal owns every field; the others, in order of their names,
    fill what it leaves out. Until its own record has come, the first by name stands in for it.
    """
    if len(state.facets) == 1:
        return state.facets[0].content
    owner, *others = _ranked(state) or (None,)
    return _filled(owner, others) if owner else None


def people_source(state: DealState) -> str:
    """The source whose keys name the people of `merged`: the one that gave owner or splits."""
    if len(state.facets) == 1:
        return state.facets[0].seen.source
    ranked = _ranked(state)
    named = (deal.source for deal in ranked if deal.owner_key or deal.splits)
    return next(named, ranked[0].source)


def named_keys(state: DealState) -> tuple[str, ...]:
    """Whom the deal names, owner and shares, each once: "source:key" of the source that says so."""
    deal = merged(state)
    if deal is None:
        return ()
    keys = ((deal.owner_key,) if deal.owner_key else ()) + tuple(s.payee_key for s in deal.splits)
    if not keys:
        return ()
    source = people_source(state)
    return tuple(dict.fromkeys(f"{source}:{key}" for key in keys))


def _with(state: DealState, facets: tuple[Facet, ...], seen: tuple[Seen, ...]) -> DealState:
    return DealState(
        deal_id=state.deal_id,
        version=state.version,
        facets=facets,
        seen=seen,
        credits=state.credits,
        ordinals=state.ordinals,
        held=state.held,
        not_eligible=state.not_eligible,
        booked_at=state.booked_at,
    )


def _newest(facets: tuple[Facet, ...], facet: Facet) -> tuple[Facet, ...]:
    """`facets` by (source, key), each the one of the highest revision, then the greater digest."""
    newest = {(other.seen.source, other.seen.key): other for other in facets}
    own = (facet.seen.source, facet.seen.key)
    known = newest.get(own)
    if known is None or _rank(known) < _rank(facet):
        newest[own] = facet
    return tuple(newest[name] for name in sorted(newest))


def _rank(facet: Facet) -> tuple[int, str]:
    return facet.seen.revision, facet.seen.digest


def _equals_a_neighbour(seen: tuple[Seen, ...], place: int) -> bool:
    """Whether the one next to it in order is another content of the same revision."""
    own = _seen_order(seen[place])[:3]
    return any(
        _seen_order(other)[:3] == own
        for other in (*seen[place - 1 : place], *seen[place + 1 : place + 2])
    )


def _ranked(state: DealState) -> list[DealChanged]:
    """The contents of all facets, the one that opened the deal first, then by source and key."""
    opener = state.deal_id.partition(":")[0]

    def order(deal: DealChanged) -> tuple[bool, bool, str, str]:
        is_it = f"{deal.source}:{deal.key}" == state.deal_id
        return not is_it, deal.source != opener, deal.source, deal.key

    return sorted((facet.content for facet in state.facets), key=order)


def _filled(owner: DealChanged, others: list[DealChanged]) -> DealChanged:
    filled: dict[str, Any] = {}
    for group in _GROUPS:
        givers = (deal for deal in (owner, *others) if any(getattr(deal, name) for name in group))
        giver = next(givers, owner)
        if giver is not owner:
            filled.update({name: getattr(giver, name) for name in group})
    return msgspec.structs.replace(owner, **filled)
