"""Looking at another's page is written down: who, whose, when. Once a session, payee and hour.

The hour is one of real time: a business clock that runs fast must not fill the audit, nor one that
stands hide that somebody came back the next day.
"""

import datetime as dt
import threading
from typing import Final

from api import access
from api.sessions import Session
from api.world import World
from db import audit
from db.connect import Pool
from schemas import limits
from schemas.ids import PayeeId

ACTION: Final = "view_as"
_HOUR: Final = "%Y-%m-%dT%H"


class Views:
    """Remembers which views are in the audit already, a bounded number of them."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._lock = threading.Lock()
        self._noted: dict[tuple[str, PayeeId, str], None] = {}

    def note(
        self, session: Session, payee_id: PayeeId, world: World, *, request_id: str | None = None
    ) -> None:
        """Called before anything is shown; committed when it returns."""
        if not access.is_another(session, payee_id):
            return
        key = session.session_id, payee_id, world.now.real.astimezone(dt.UTC).strftime(_HOUR)
        if key in self._noted:
            return
        with self._pool.connection() as connection:
            audit.record(
                connection,
                actor=session.user_id,
                action=ACTION,
                entity=payee_id,
                after={"business_at": _text(world.now.business), "role": session.role},
                request_id=request_id,
                reference_version=world.reference.version,
            )
        with self._lock:
            self._noted[key] = None
            if len(self._noted) > limits.VIEWS_REMEMBERED_MAX:
                del self._noted[next(iter(self._noted))]


def _text(instant: dt.datetime) -> str:
    return instant.astimezone(dt.UTC).isoformat(timespec="seconds")
