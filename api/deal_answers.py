"""A deal opened: its fate, its receipt, its credits and revisions, as far as the viewer may see.

Everything is read on the caller's one snapshot.
"""

import datetime as dt
import enum
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import msgspec

from api import access, periods
from api.sessions import Session, UserRole
from api.world import World
from db import deals as rows
from db import statements
from db.connect import Connection
from db.deals import Booked, Deal, Revision
from domain import fates, wording
from domain.clock import business_at
from domain.exact import exact_arithmetic
from domain.receipt import Part, receipt, sentence
from domain.revisions import merged, people_source
from domain.terms import AccountTerms
from schemas import limits
from schemas.answers import (
    CreditView,
    DealAnswer,
    DealRow,
    Fate,
    HeldView,
    ReceiptLine,
    RevisionView,
    SliceView,
)
from schemas.ids import PayeeId
from schemas.live import PayeeRef
from schemas.messages import DealChanged, PeriodState
from schemas.money import ZERO, exact, ratio, text_of
from schemas.refusals import HOLDS
from schemas.state import Credit, Held, named_shares

COLLEAGUE: Final = PayeeRef(payee_id=None, name="a colleague")
_WEB: Final = ("https://", "http://")


class Sight(enum.Enum):
    """How much of a deal a viewer may see."""

    NOTHING = enum.auto()
    OUTLINE = enum.auto()  # a deal that names nobody: its fate, without amounts
    PARTS = enum.auto()  # amounts of the payees whom he may see


class _Eye(NamedTuple):
    """Who looks, in which world."""

    viewer: Session
    world: World

    def sees(self, payee_id: str) -> bool:
        return access.may_see_payee(self.viewer, PayeeId(payee_id), self.world)

    def ref(self, payee_id: str) -> PayeeRef:
        if not self.sees(payee_id):
            return COLLEAGUE
        return self.world.ref(payee_id)

    def name(self, payee_id: PayeeId) -> str | None:
        return self.world.name_of(payee_id) if self.sees(payee_id) else None

    def business(self, booked_at: dt.datetime) -> dt.datetime:
        return business_at(self.world.now.rows, booked_at)

    @property
    def is_admin(self) -> bool:
        return self.viewer.role is UserRole.ADMIN


def deal_answer(
    connection: Connection, world: World, viewer: Session, deal_id: str
) -> DealAnswer | None:
    """The deal as the viewer may see it; None when there is none for him."""
    deal = rows.deal(connection, deal_id)
    if deal is None:
        return None
    match sight(connection, world, viewer, deal):
        case Sight.NOTHING:
            return None
        case Sight.OUTLINE:
            return _outline(connection, world, deal)
        case Sight.PARTS:
            with exact_arithmetic():
                return _whole(connection, _Eye(viewer, world), deal)


def sight(connection: Connection, world: World, viewer: Session, deal: Deal) -> Sight:
    """By docs/decisions/0022: who sees a payee it concerns; a deal of nobody has an outline."""
    if viewer.role is UserRole.ADMIN:
        return Sight.PARTS
    concerned = {*rows.payees_ever_credited(connection, deal.deal_id), *_named(deal, world)}
    if any(access.may_see_payee(viewer, PayeeId(payee), world) for payee in concerned):
        return Sight.PARTS
    return Sight.OUTLINE if not concerned and not deal.named else Sight.NOTHING


def row(deal: Deal, viewer: Session, world: World) -> DealRow:
    """A deal in a list, for whom may see it."""
    return _row(deal, _Eye(viewer, world))


def credit_view(booked: Booked, viewer: Session, world: World) -> CreditView:
    """A credit or reversal as booked."""
    return _credit(booked, _Eye(viewer, world))


def _named(deal: Deal, world: World) -> set[str]:
    """The payees that the keys of its newest revision belong to."""
    pairs = (key.partition(":") for key in deal.named)
    found = (world.reference.payee_of(source, key) for source, _, key in pairs)
    return {payee for payee in found if payee is not None}


def _row(deal: Deal, eye: _Eye) -> DealRow:
    content = _content(deal)
    return DealRow(
        deal_id=deal.deal_id,
        key=content.key,
        source=deal.source,
        name=deal.name,
        customer=deal.customer,
        status=deal.status,
        fate=Fate(deal.outcome.value),
        fate_words=fates.words(deal.state, content, eye.name),
        amount=None if deal.amount is None else text_of(deal.amount),
        currency=deal.currency,
        closed_on=deal.closed_on,
        revision=content.revision,
        received_at=deal.received_at,
        booked_at=deal.booked_at,
    )


def _content(deal: Deal) -> DealChanged:
    content = merged(deal.state)
    assert content is not None, "a deal is written only with a revision"
    return content


def _outline(connection: Connection, world: World, deal: Deal) -> DealAnswer:
    """A deal of nobody: what became of it and why, and nothing of what it is about."""
    content = _content(deal)
    bare = DealRow(
        deal_id=deal.deal_id,
        key=content.key,
        source=deal.source,
        name=None,
        customer=None,
        status=deal.status,
        fate=Fate(deal.outcome.value),
        fate_words=fates.words(deal.state, content, lambda _: None),
        amount=None,
        currency=None,
        closed_on=deal.closed_on,
        revision=content.revision,
        received_at=deal.received_at,
        booked_at=deal.booked_at,
    )
    excluded = deal.state.not_eligible
    return DealAnswer(
        deal=bare,
        next_step=fates.next_step(deal.state),
        version=deal.state.version,
        channel=None,
        type=None,
        stage=None,
        source_url=None,
        receipt=(),
        others_credited=0,
        credits=(),
        held=(),
        rule_id=None if excluded is None else excluded.rule_id,
        revisions=(),
        revision_count=0,
        complete_through=rows.complete_through(connection, deal.source),
        clock=world.now.frame,
    )


def _whole(connection: Connection, eye: _Eye, deal: Deal) -> DealAnswer:
    content = _content(deal)
    state = deal.state
    booked = rows.booked_for(connection, deal.deal_id)
    seen = [one for one in booked if eye.sees(one.credit.payee_id)]
    excluded = state.not_eligible
    complete = rows.complete_through(connection, deal.source)
    received, count = rows.revisions(connection, deal.deal_id, limits.REVISIONS_SHOWN_MAX)
    return DealAnswer(
        deal=_row(deal, eye),
        next_step=fates.next_step(state),
        version=state.version,
        channel=content.channel,
        type=content.type,
        stage=content.stage,
        source_url=_address(content.source_url),
        receipt=_receipt(connection, eye, deal, seen, complete),
        others_credited=sum(not eye.sees(credit.payee_id) for credit in state.credits),
        credits=tuple(_credit(one, eye) for one in seen),
        held=held_views(connection, deal, eye.viewer, eye.world),
        rule_id=None if excluded is None else excluded.rule_id,
        revisions=_revisions(received, deal, eye, is_whole=count == len(received)),
        revision_count=count,
        complete_through=complete,
        clock=eye.world.now.frame,
    )


def _address(url: str | None) -> str | None:
    """An address that a page may link to; what else a source wrote there is no link."""
    return url if url is not None and url.lower().startswith(_WEB) else None


# ---- the receipt --------------------------------------------------------------------------------


def _receipt(
    connection: Connection,
    eye: _Eye,
    deal: Deal,
    booked: Sequence[Booked],
    complete: dt.datetime | None,
) -> tuple[ReceiptLine, ...]:
    seen = [credit for credit in deal.state.credits if eye.sees(credit.payee_id)]
    if not seen:
        return ()
    accounts = sorted({credit.account_id for credit in seen})
    origins = sorted({credit.origin_period for credit in seen})
    standing = statements.credits_in_force(connection, accounts, origins)
    arrivals = {
        (one.batch, one.account_id, one.component, one.segment, one.origin_period): one
        for one in rows.arrivals(connection, [one.batch for one in booked], accounts)
    }
    by_credit = {one.credit.credit_id: one for one in booked}
    found = []
    for account in accounts:
        of_account = [credit for credit in standing if credit.account_id == account]
        terms = AccountTerms(of_account[0].payee_id, eye.world.reference) if of_account else None
        for part in receipt(deal.deal_id, of_account, terms) if terms else ():
            own = by_credit[part.credit.credit_id]
            cell = (account, part.component.component, part.credit.segment)
            arrival = arrivals.get((own.batch, *cell, part.credit.origin_period))
            alone = arrival is not None and arrival.credits == 1
            found.append(
                _line(
                    part,
                    deal,
                    eye,
                    own=own,
                    arrived=text_of(arrival.earned) if arrival and alone else None,
                    complete=complete,
                )
            )
    return tuple(sorted(found, key=_line_order))


def _line_order(line: ReceiptLine) -> tuple[bool, str, str]:
    """The deal's own people first, then whose team they are in."""
    return line.role.value == "rollup", line.payee.name, line.component


def _line(
    part: Part,
    deal: Deal,
    eye: _Eye,
    *,
    own: Booked,
    arrived: str | None,
    complete: dt.datetime | None,
) -> ReceiptLine:
    credit, terms = part.credit, part.terms
    share = _share(credit, deal)
    assignment = eye.world.reference.assignment(credit.segment)
    plan = eye.world.reference.plan_of(assignment, terms.period) if assignment else None
    return ReceiptLine(
        component=part.component.component,
        component_words=wording.component(part.component.component),
        payee=eye.ref(credit.payee_id),
        role=credit.role,
        role_words=_role_words(credit, share),
        share=share,
        credit_id=credit.credit_id,
        credited=text_of(credit.amount),
        before=text_of(part.before),
        after=text_of(part.after),
        slices=_slices(part),
        exact=text_of(part.exact),
        rounding=text_of(part.rounding),
        earned=text_of(part.earned),
        effective_rate_text=effective_rate(part),
        sentence=sentence(part),
        stamps=periods.stamps(
            eye.world, credit.origin_period, complete_through=complete, currency=credit.currency
        ),
        quota=None if terms.quota is None else text_of(terms.quota),
        plan_id=terms.plan_id,
        plan_name=plan.name if plan else str(terms.plan_id),
        plan_version=terms.plan_version,
        earned_on_arrival=arrived,
        is_correction=own.period_state is PeriodState.LOCKED,
    )


def _share(credit: Credit, deal: Deal) -> str | None:
    if deal.amount is None or deal.amount == ZERO or deal.currency != credit.currency:
        return None
    return text_of(ratio(credit.amount, deal.amount))


def _role_words(credit: Credit, share: str | None) -> str:
    role = wording.ROLES[credit.role]
    return role if share is None else f"{role}, {wording.rate(exact(share))} of the deal"


def _slices(part: Part) -> tuple[SliceView, ...]:
    starts = part.component.ladder.starts
    return tuple(
        SliceView(
            tier=one.tier + 1,
            tier_words=_tier(one.tier, starts),
            credited=text_of(one.credited),
            rate=text_of(one.rate),
            rate_text=wording.rate(one.rate),
            pay=text_of(one.pay),
        )
        for one in part.slices
    )


def _tier(tier: int, starts: Sequence[object]) -> str:
    if len(starts) == 1:
        return "the plan's only rate"
    low, high = starts[tier], starts[tier + 1] if tier + 1 < len(starts) else None
    lower = wording.money(exact(str(low)))
    if high is None:
        return f"tier {tier + 1}, from {lower} credited on"
    return f"tier {tier + 1}, from {lower} to {wording.money(exact(str(high)))} credited"


def effective_rate(part: Part) -> str | None:
    """The rate that a part was paid at: of several tiers none is said, the slices tell."""
    rates = {one.rate for one in part.slices}
    return wording.rate(rates.pop()) if len(rates) == 1 else None


# ---- what it rests on ---------------------------------------------------------------------------


def _credit(booked: Booked, eye: _Eye) -> CreditView:
    credit = booked.credit
    return CreditView(
        credit_id=credit.credit_id,
        deal_id=credit.deal_id,
        payee=eye.ref(credit.payee_id),
        role=credit.role,
        credit_type=credit.credit_type,
        amount=text_of(credit.amount),
        currency=credit.currency,
        closed_on=credit.closed_on,
        origin_period=credit.origin_period,
        cause=credit.cause.value,
        cause_words=wording.CAUSES[credit.cause],
        deal_source=credit.deal_source,
        deal_revision=credit.deal_revision,
        reverses=credit.reverses,
        is_in_force=booked.is_in_force,
        batch=booked.batch,
        booked_at=booked.booked_at,
        business_at=eye.business(booked.booked_at),
    )


def held_views(
    connection: Connection, deal: Deal, viewer: Session, world: World
) -> tuple[HeldView, ...]:
    """The shares of a deal that wait, of payees whom the viewer may see."""
    if not deal.state.held:
        return ()
    eye = _Eye(viewer, world)
    since = rows.held_since(connection, deal.deal_id)
    source = people_source(deal.state)
    views = (
        _held(deal, share, held, since.get(share, deal.booked_at), source, eye)
        for share, held in named_shares(deal.state.held)
    )
    return tuple(view for view in views if view is not None)


def _held(
    deal: Deal, share: str, held: Held, since: dt.datetime, source: str, eye: _Eye
) -> HeldView | None:
    payee = held.payee_key and eye.world.reference.payee_of(source, held.payee_key)
    if not eye.is_admin and payee and not eye.sees(payee):
        return None
    return HeldView(
        deal_id=deal.deal_id,
        key=_content(deal).key,
        source=deal.source,
        name=deal.name,
        share=share,
        reason=held.reason,
        reason_words=f"{held.detail[:1].upper()}{held.detail[1:].rstrip('.')}.",
        next_step=HOLDS[held.reason],
        payee=eye.ref(payee) if payee else None,
        payee_key=held.payee_key,
        role=held.role,
        amount=text_of(held.amount),
        currency=held.currency,
        closed_on=deal.closed_on,
        held_since=since,
    )


def _revisions(
    received: Iterable[Revision], deal: Deal, eye: _Eye, *, is_whole: bool
) -> tuple[RevisionView, ...]:
    newest_first = list(received)
    current = {
        (facet.seen.source, facet.seen.key, facet.seen.revision, facet.seen.digest)
        for facet in deal.state.facets
    }
    return tuple(
        RevisionView(
            source=one.source,
            revision=one.revision,
            changed_on=one.changed_on,
            outcome=one.outcome,
            words=_change(one, newest_first, is_whole=is_whole),
            tracking_id=one.tracking_id,
            booked_at=one.booked_at,
            business_at=eye.business(one.booked_at),
            is_current=(one.source, one.source_key, one.revision, one.digest) in current,
            partition=one.partition,
            offset=one.offset,
            content=msgspec.Raw(one.value.encode()) if eye.is_admin else None,
        )
        for one in newest_first
    )


def _change(one: Revision, all_: Sequence[Revision], *, is_whole: bool) -> str:
    below = _below(one, all_)
    if below is None and not is_whole:
        return "what it changed is not shown: only the newest revisions are"
    return fates.changed(below, one.content)


def _below(one: Revision, all_: Sequence[Revision]) -> DealChanged | None:
    """The content of the source's next lower revision, among those shown."""
    lower = [
        other
        for other in all_
        if (other.source, other.source_key) == (one.source, one.source_key)
        and other.revision < one.revision
    ]
    found = max(lower, key=lambda other: (other.revision, other.digest), default=None)
    return found.content if found else None
