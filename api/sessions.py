"""Signed sessions: pure functions around a JWT. Real time, never the business clock.

The algorithm is pinned to HS256: what a token's own header says is not believed. A browser holds
the token in an HttpOnly cookie, a machine sends it as a bearer; both are the same token.
"""

import datetime as dt
import enum
import secrets
from collections.abc import Iterable
from typing import Any, Final

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from schemas import limits
from schemas.ids import PayeeId

ALGORITHM: Final = "HS256"
ISSUER: Final = "paceboard"
COOKIE: Final = "paceboard_session"
KEY_BYTES_MIN: Final = 32


class UserRole(enum.StrEnum):
    """What a signed-in person is to Paceboard; a person's role in the company is another thing."""

    REP = "rep"
    MANAGER = "manager"
    ADMIN = "admin"


class Scope(enum.StrEnum):
    """What a machine's token may do beyond what its role may see."""

    DEALS_WRITE = "deals:write"


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks. `payee_id` is None for people who are not paid by plans, and for machines."""

    session_id: str
    user_id: str
    role: UserRole
    payee_id: PayeeId | None
    scopes: tuple[Scope, ...]
    issued_at: dt.datetime
    expires_at: dt.datetime


class BadSession(Exception):
    """A token that cannot be believed, and why, in words that give nothing away."""


class _Claims(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What stands in the token."""

    iss: str
    sub: str
    role: UserRole
    iat: int
    exp: int
    jti: str
    payee: str | None = None
    scopes: tuple[Scope, ...] = ()


def mint(
    key: str,
    *,
    user_id: str,
    role: UserRole,
    now: dt.datetime,
    payee_id: str | None = None,
    scopes: Iterable[Scope] = (),
    seconds: int = limits.SESSION_SECONDS,
) -> str:
    """A signed token that is good for `seconds` from `now`."""
    if not 0 < seconds <= limits.TOKEN_SECONDS_MAX:
        raise ValueError(f"a token is good for 1 to {limits.TOKEN_SECONDS_MAX} seconds")
    claims: dict[str, Any] = {
        "iss": ISSUER,
        "sub": user_id,
        "role": role.value,
        "iat": int(now.timestamp()),
        "exp": int(now.timestamp()) + seconds,
        "jti": secrets.token_hex(8),
        "payee": payee_id,
        "scopes": [scope.value for scope in scopes],
    }
    return jwt.encode({"alg": ALGORITHM}, claims, _key(key), algorithms=[ALGORITHM])


def read(token: str, *, key: str, now: dt.datetime) -> Session:
    """The session a token stands for. Raises BadSession when it is not ours, broken or expired."""
    if len(token) > limits.TOKEN_LENGTH_MAX:
        raise BadSession("the token is too long to be one of ours")
    try:
        decoded = jwt.decode(token, _key(key), algorithms=[ALGORITHM])
        claims = msgspec.convert(decoded.claims, _Claims)
    except (JoseError, msgspec.ValidationError, ValueError, TypeError) as error:
        raise BadSession("the token is not one of ours, or it was changed") from error
    if claims.iss != ISSUER or claims.iat > now.timestamp() + 60:
        raise BadSession("the token is not one of ours, or it was changed")
    if claims.exp <= now.timestamp():
        raise BadSession("the session has expired")
    return Session(
        session_id=claims.jti,
        user_id=claims.sub,
        role=claims.role,
        payee_id=None if claims.payee is None else PayeeId(claims.payee),
        scopes=claims.scopes,
        issued_at=dt.datetime.fromtimestamp(claims.iat, dt.UTC),
        expires_at=dt.datetime.fromtimestamp(claims.exp, dt.UTC),
    )


def _key(text: str) -> OctKey:
    if len(text.encode()) < KEY_BYTES_MIN:
        raise ValueError(f"PACEBOARD_SESSION_KEY needs at least {KEY_BYTES_MIN} bytes")
    return OctKey.import_key(text.encode())
