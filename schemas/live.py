"""The frames of `WS /v1/live`. JSON text frames; each has a `type`.

A client authenticates (the cookie does it for browsers; machines send `authenticate` first), then
watches channels: "board:<board_id>", "payee:<payee_id>", "team:<payee_id>" of who leads somebody.
The server answers with a snapshot that has a version, then newer versions only. A heartbeat comes
every LIVE_HEARTBEAT_SECONDS.
"""

import datetime as dt
import enum
from typing import Final

import msgspec

from schemas.messages import AlertKind, PeriodState, Severity, Text
from schemas.money import Booked
from schemas.times import Instant


class Frame(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", gc=False):
    """Base of all frames."""


# ---- from the client --------------------------------------------------------------------------


class Authenticate(Frame, frozen=True, tag="authenticate"):
    """First frame of a machine: its bearer token. Not needed where a cookie came along."""

    token: str


class Watch(Frame, frozen=True, tag="watch"):
    """Ask for channels; each answers with a snapshot or an error."""

    channels: tuple[Text, ...]


class Unwatch(Frame, frozen=True, tag="unwatch"):
    """No longer wanted."""

    channels: tuple[Text, ...]


ClientFrame = Authenticate | Watch | Unwatch

# ---- from the server --------------------------------------------------------------------------


class Stamps(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What stands beside every headline number."""

    period: str
    period_name: str  # "1 Mar - 31 May 2014"
    starts_on: dt.date
    ends_on: dt.date  # exclusive
    state: PeriodState
    complete_through: Instant | None
    currency: str


class Clock(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The business clock, so that a page can show it running without asking."""

    business_at: Instant
    rate: Booked  # business seconds per real second; "0" is paused


class BoardRow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A row of a board with the name and territory the viewer may see. No pay, ever."""

    payee_id: str
    name: str
    territory: str | None
    rank: int | None
    moved: int | None
    amount: Booked
    quota: Booked | None
    attainment_ratio: Booked | None
    gap_to_next: Booked | None
    is_me: bool = False


class BoardState(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A whole board."""

    board_id: str
    name: str
    measure: str  # "attainment" or "amount"
    stamps: Stamps
    business_date: dt.date
    moved_since: str  # in words: "start of 3 Mar"
    expected_share: Booked | None  # the pace marker, as a fraction of quota
    curve: str | None
    total_amount: Booked
    total_quota: Booked | None
    total_ratio: Booked | None
    rows: tuple[BoardRow, ...]


class ComponentProgress(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one component of a plan has come to in a period."""

    component: str
    credited: Booked
    credits: int
    earned: Booked


class AlertView(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A raised alert as the payee and his manager read it."""

    alert_id: str
    payee_id: str  # whom it is about
    kind: AlertKind
    severity: Severity
    raised_on: dt.date
    is_acknowledged: bool  # somebody has said so of this raising
    short_of_pace: Booked  # expected by then - credited, never below zero
    text: str


class PayeeProgress(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A payee's progress in one period: attainment, pace, earned money."""

    payee_id: str
    name: str
    stamps: Stamps
    account_id: str
    account_version: int
    credited: Booked
    quota: Booked | None
    attainment_ratio: Booked | None
    gap_to_quota: Booked | None
    expected_share: Booked | None
    curve: str | None
    pace_ratio: Booked | None
    working_days_left: int
    required_per_remaining_working_day: Booked | None
    earned_provisional: Booked
    earned_final: Booked
    components: tuple[ComponentProgress, ...]
    alerts: tuple[AlertView, ...]
    corrections: Booked = "0"  # of earlier, locked periods, booked into this one; in earned_*


class PayeeRef(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A payee by id and name; a colleague whom you may not see has neither."""

    payee_id: str | None
    name: str


class TeamRow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One person of a team. `credited` counts his own deals (owner and splits), each once."""

    payee_id: str
    name: str
    title: str | None
    territory: str | None
    is_lead: bool  # whose team it is: his own deals
    credited: Booked
    quota: Booked | None  # for his own deals; the quota of a whole team is not his row's
    attainment_ratio: Booked | None
    pace_ratio: Booked | None
    gap_to_quota: Booked | None
    short_of_pace: Booked | None  # expected by now - credited, never below zero
    required_per_remaining_working_day: Booked | None
    last_credit_on: dt.date | None
    held: int  # how many shares of his wait
    alerts: tuple[AlertView, ...]


class TeamState(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A manager's team: those with open alerts first, then by money short of pace."""

    manager: PayeeRef
    stamps: Stamps
    business_date: dt.date
    rows: tuple[TeamRow, ...]
    total_credited: Booked  # the sum of the rows
    total_quota: Booked | None  # the sum of the rows' quotas
    total_ratio: Booked | None
    total_gap: Booked | None
    total_short_of_pace: Booked
    required_per_remaining_working_day: Booked | None
    working_days_left: int
    expected_share: Booked | None
    curve: str | None
    pace_ratio: Booked | None
    ledger_credited: Booked  # what the manager's own account says of the team and himself
    not_in_rows: Booked  # ledger_credited - total_credited: credited while they were elsewhere
    reconciliation: str  # in words, with the amounts
    open_alerts: int  # raised and not acknowledged


class Hello(Frame, frozen=True, tag="hello"):
    """Answer to a good authentication."""

    user_id: str
    payee_id: str | None
    role: str
    timeline: int
    heartbeat_seconds: int
    clock: Clock


class BoardSnapshot(Frame, frozen=True, tag="board"):
    """A board: the first after `watch` is the snapshot, later ones have greater versions."""

    channel: str
    version: int
    board: BoardState
    clock: Clock


class PayeeSnapshot(Frame, frozen=True, tag="payee"):
    """A payee's progress, by the account's version."""

    channel: str
    version: int
    progress: PayeeProgress
    clock: Clock


class TeamSnapshot(Frame, frozen=True, tag="team"):
    """A manager's team in the period of today."""

    channel: str
    version: int
    team: TeamState
    clock: Clock


class Heartbeat(Frame, frozen=True, tag="heartbeat"):
    """What time it is in the business, and whether a worker books what comes in.

    While none does, every number may be behind: show them as old.
    """

    clock: Clock
    is_booking: bool


class Unwatched(Frame, frozen=True, tag="unwatched"):
    """A channel is no longer sent: asked for, or no longer allowed."""

    channel: str
    reason: str


class Refused(Frame, frozen=True, tag="error"):
    """A frame or a channel could not be served; the socket stays open."""

    title: str
    detail: str
    channel: str | None = None


ServerFrame = Hello | BoardSnapshot | PayeeSnapshot | TeamSnapshot | Heartbeat | Unwatched | Refused


class CloseCode(enum.IntEnum):
    """Why the server closes the socket."""

    GOING_AWAY = 1001
    POLICY = 1008
    TOO_BIG = 1009
    NOT_AUTHENTICATED = 4401
    SESSION_EXPIRED = 4403
    TOO_SLOW = 4408
    TOO_FAST = 4429


CLOSE_REASONS: Final[dict[CloseCode, str]] = {
    CloseCode.GOING_AWAY: "The server is going away; connect again.",
    CloseCode.POLICY: "The page's origin is not allowed here.",
    CloseCode.TOO_BIG: "A frame was larger than FRAME_BYTES_MAX.",
    CloseCode.NOT_AUTHENTICATED: "Authenticate within LIVE_AUTHENTICATE_SECONDS.",
    CloseCode.SESSION_EXPIRED: "The session has expired; sign in again.",
    CloseCode.TOO_SLOW: "You read more slowly than the server may buffer; connect again.",
    CloseCode.TOO_FAST: "More frames or sockets than the server takes; pause, then connect again.",
}
