"""Who may see and do what. Deny first: what no rule here allows is refused.

Who may look is decided by the hierarchy in force today (the business date). A refusal to show
something is the same answer as that there is no such thing.
"""

from api.problems import Forbidden, NotFound, NotSignedIn
from api.sessions import Scope, Session, UserRole
from api.world import World
from schemas.ids import PayeeId
from schemas.reference import Board


def in_force(session: Session, world: World) -> Session:
    """The session with the role and payee that its user has now. Raises NotSignedIn.

    Machines have no user of their own; their token says what they are.
    """
    user = world.users.get(session.user_id)
    if user is None:
        return session
    if user.disabled_at is not None:
        raise NotSignedIn("This user may no longer sign in.")
    return Session(
        session_id=session.session_id,
        user_id=session.user_id,
        role=UserRole(user.role),
        payee_id=None if user.payee_id is None else PayeeId(user.payee_id),
        scopes=session.scopes,
        issued_at=session.issued_at,
        expires_at=session.expires_at,
    )


def may_see_payee(session: Session, payee_id: PayeeId, world: World) -> bool:
    """A payee sees himself, a manager all below him today, an admin everyone."""
    if payee_id not in world.people:
        return False
    match session.role:
        case UserRole.REP:
            return session.payee_id == payee_id
        case UserRole.MANAGER:
            return session.payee_id is not None and (
                session.payee_id == payee_id
                or session.payee_id in world.reference.managers_above(payee_id, world.today)
            )
        case UserRole.ADMIN:
            return True


def payees_seen(session: Session, world: World) -> tuple[PayeeId, ...] | None:
    """All payees whose figures may be seen; None: everybody's."""
    if session.role is UserRole.ADMIN:
        return None
    return tuple(
        PayeeId(payee)
        for payee in sorted(world.people)
        if may_see_payee(session, PayeeId(payee), world)
    )


def may_see_team(session: Session, payee_id: PayeeId, world: World) -> bool:
    """The team of who leads somebody today, for himself, who leads him, and admins."""
    return may_see_payee(session, payee_id, world) and leads(world, payee_id)


def leads(world: World, payee_id: PayeeId) -> bool:
    """Whether somebody reports to a payee today."""
    return any(
        payee_id in world.reference.managers_above(PayeeId(other), world.today)
        for other in world.people
    )


def may_see_board(session: Session, board: Board, world: World) -> bool:
    """By the board's visibility: everyone who is signed in; its team and who is above; managers."""
    if session.role is UserRole.ADMIN or board.visibility == "everyone":
        return True
    if board.visibility == "managers":
        return session.role is UserRole.MANAGER
    return session.payee_id is not None and session.payee_id in _team_of(board, world)


def is_another(session: Session, payee_id: PayeeId) -> bool:
    """Whether looking at this payee's page is to look at another's: it goes into the audit."""
    return session.payee_id != payee_id


def require_payee(session: Session, payee_id: str, world: World) -> PayeeId:
    """The payee, if he may be seen. Raises NotFound."""
    if not may_see_payee(session, PayeeId(payee_id), world):
        raise NotFound
    return PayeeId(payee_id)


def require_team(session: Session, payee_id: str, world: World) -> PayeeId:
    """Who leads a team that may be seen. Raises NotFound."""
    if not may_see_team(session, PayeeId(payee_id), world):
        raise NotFound
    return PayeeId(payee_id)


def require_board(session: Session, board_id: str, world: World) -> Board:
    """The board, if it may be seen. Raises NotFound."""
    board = board_of(world, board_id)
    if board is None or not may_see_board(session, board, world):
        raise NotFound
    return board


def require_admin(session: Session) -> None:
    """What only admins see is not there for anybody else. Raises NotFound."""
    if session.role is not UserRole.ADMIN:
        raise NotFound


def may_ask_fates(session: Session) -> bool:
    """Admins and machines that post deals may ask what became of anything that was sent."""
    return session.role is UserRole.ADMIN or Scope.DEALS_WRITE in session.scopes


def require_posting(session: Session) -> None:
    """Deals are posted by admins, and by machines whose token has the scope. Raises Forbidden."""
    if not may_ask_fates(session):
        raise Forbidden(
            f"To post deals, sign in as an admin or use a token with the scope "
            f"'{Scope.DEALS_WRITE}' (paceboard token --scope {Scope.DEALS_WRITE})."
        )


def board_of(world: World, board_id: str) -> Board | None:
    """A board by its id."""
    return next(
        (board for board in world.reference.rows.boards if board.board_id == board_id), None
    )


def may_watch(session: Session, channel: str, world: World) -> bool:
    """A live channel: "board:<board_id>", "payee:<payee_id>" or "team:<payee_id>"."""
    try:
        now = in_force(session, world)
    except NotSignedIn:
        return False
    kind, _, name = channel.partition(":")
    match kind:
        case "payee":
            return may_see_payee(now, PayeeId(name), world)
        case "team":
            return may_see_team(now, PayeeId(name), world)
        case "board":
            board = board_of(world, name)
            return board is not None and may_see_board(now, board, world)
        case _:
            return False


def _team_of(board: Board, world: World) -> set[PayeeId]:
    """Who stands on the board today, and all above them."""
    on_it = [
        person.payee_id
        for payee_id in world.people
        if (person := world.reference.person_on(PayeeId(payee_id), world.today)) is not None
        and person.role in board.roles
    ]
    return {
        member
        for payee_id in on_it
        for member in (payee_id, *world.reference.managers_above(payee_id, world.today))
    }
