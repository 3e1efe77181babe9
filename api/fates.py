"""What became of what was sent: by its tracking id, or all that was sent of one deal."""

from typing import Final

import msgspec

from api import access, deal_answers
from api.deal_answers import Sight
from api.postings import Postings
from api.sessions import Session
from api.world import World
from db import deals as rows
from db.connect import Connection
from db.deals import Deal, Letter, Posting, Revision
from domain import contract, fates
from domain.revisions import merged
from schemas import limits
from schemas.answers import DealFate, Fate
from schemas.ids import PayeeId, tracking_id
from schemas.messages import DealChanged

ON_ITS_WAY: Final = "Received: it is on the deals topic and not booked yet."
WAIT: Final = "Ask again in a moment. If it stays so, look whether a worker runs."
_CONTENT: Final = msgspec.json.Decoder(DealChanged)


def of_tracking(
    connection: Connection, world: World, session: Session, postings: Postings, wanted: str
) -> tuple[DealFate, Deal | None] | None:
    """The fate of what was sent under a tracking id, and its deal; None: nothing is known of it."""
    revision = rows.revision_tracked(connection, wanted)
    if revision is not None:
        deal = rows.deal(connection, revision.deal_id)
        assert deal is not None, f"{revision.deal_id} has a revision and no row"
        return _of_revision(revision, deal, session, world), deal
    posting = postings.waiting(wanted) or rows.posted(connection, wanted)
    if posting is None:
        return None
    letters = rows.letters(connection, posting.deal_id, limits.DEAL_LETTERS_READ_MAX)
    refused = next((one for one in letters if _tracking(one) == wanted), None)
    if refused is not None:
        return _of_letter(refused, posting.deal_id), rows.deal(connection, posting.deal_id)
    return _on_its_way(posting), rows.deal(connection, posting.deal_id)


def of_deal(
    connection: Connection, world: World, session: Session, deal_id: str
) -> tuple[DealFate, ...]:
    """All that was booked or refused of a deal, newest first."""
    deal = rows.deal(connection, deal_id)
    received, _ = rows.revisions(connection, deal_id, limits.REVISIONS_SHOWN_MAX)
    letters = rows.letters(connection, deal_id, limits.DEAL_LETTERS_READ_MAX)
    found = [_of_letter(one, deal_id) for one in letters]
    if deal is not None:
        found += [_of_revision(one, deal, session, world) for one in received]
    found.sort(key=lambda fate: fate.booked_at or world.now.real, reverse=True)
    return tuple(found[: limits.REVISIONS_SHOWN_MAX])


def may_ask(connection: Connection, world: World, session: Session, deal: Deal | None) -> bool:
    """Whether who may not ask for everything may ask for what was sent of this deal."""
    return deal is not None and deal_answers.sight(connection, world, session, deal) is Sight.PARTS


def _of_revision(revision: Revision, deal: Deal, session: Session, world: World) -> DealFate:
    counts = _counting(revision, deal)
    content = merged(deal.state)
    assert content is not None
    if counts == (revision.revision, revision.digest):
        fate = Fate(deal.outcome.value)
        words = fates.words(deal.state, content, _name_of(session, world))
        step = fates.next_step(deal.state)
    else:
        fate, step = Fate.SUPERSEDED, None
        words = fates.superseded(revision.source, counts[0])
        if counts[0] == revision.revision:
            words = (
                f"Superseded: another content came as {revision.source}'s revision {counts[0]}, "
                "and of the two that one counts."
            )
            step = "Send a higher revision to say which is right."
    return DealFate(
        tracking_id=revision.tracking_id,
        deal_id=revision.deal_id,
        source=revision.source,
        revision=revision.revision,
        fate=fate,
        fate_words=words,
        next_step=step,
        booked_at=revision.booked_at,
    )


def _counting(revision: Revision, deal: Deal) -> tuple[int, str]:
    """The revision of the same source's record that counts, and its digest."""
    own = next(
        facet.seen
        for facet in deal.state.facets
        if (facet.seen.source, facet.seen.key) == (revision.source, revision.source_key)
    )
    return own.revision, own.digest


def _of_letter(letter: Letter, deal_id: str) -> DealFate:
    words, step = fates.refused(letter.code, letter.problem)
    content = _read(letter)
    return DealFate(
        tracking_id=_tracking(letter),
        deal_id=deal_id,
        source=content.source if content else None,
        revision=content.revision if content else None,
        fate=Fate.REFUSED,
        fate_words=words,
        next_step=step,
        booked_at=letter.booked_at,
    )


def _on_its_way(posting: Posting) -> DealFate:
    return DealFate(
        tracking_id=posting.tracking_id,
        deal_id=posting.deal_id,
        source=posting.source,
        revision=posting.revision,
        fate=Fate.RECEIVED,
        fate_words=ON_ITS_WAY,
        next_step=WAIT,
        booked_at=None,
    )


def _read(letter: Letter) -> DealChanged | None:
    try:
        content = _CONTENT.decode(letter.value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return content if contract.check(content) is None else None


def _tracking(letter: Letter) -> str | None:
    content = _read(letter)
    if content is None:
        return None
    digest = contract.content_digest(content)
    return tracking_id(content.source, content.key, content.revision, digest)


def _name_of(session: Session, world: World) -> fates.NameOf:
    def name(payee_id: PayeeId) -> str | None:
        may_see = access.may_see_payee(session, payee_id, world)
        return world.name_of(payee_id) if may_see else None

    return name
