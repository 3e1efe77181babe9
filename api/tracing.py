"""Request ids and W3C trace context: taken over when they are well formed, else made here."""

import re
import secrets
from typing import Final

from schemas import limits

_REQUEST_ID: Final = re.compile(rf"[A-Za-z0-9._-]{{1,{limits.REQUEST_ID_LENGTH_MAX}}}")
_TRACEPARENT: Final = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})")


def request_id(received: str | None) -> str:
    """The caller's own id, or a new one."""
    if received and _REQUEST_ID.fullmatch(received):
        return received
    return secrets.token_hex(16)


def traceparent(received: str | None) -> str:
    """The same trace with a span of ours, or a new trace."""
    match = _TRACEPARENT.fullmatch(received or "")
    trace, flags = match.groups() if match else (secrets.token_hex(16), "01")
    return f"00-{trace}-{secrets.token_hex(8)}-{flags}"
