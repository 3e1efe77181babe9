"""Where a request's token stands, and whether a browser sent it from our own page."""

import datetime as dt
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from api import sessions
from api.problems import NotSignedIn
from api.sessions import BadSession, Session

SAFE_METHODS: Final = frozenset(("GET", "HEAD", "OPTIONS"))
_BEARER: Final = "bearer "
_KNOWN: Final = "paceboard.session"


def token_of(connection: HTTPConnection) -> str | None:
    """A machine's bearer token, else a browser's cookie."""
    header = connection.headers.get("authorization", "")
    if header.lower().startswith(_BEARER):
        return header[len(_BEARER) :].strip()
    return connection.cookies.get(sessions.COOKIE)


def is_by_cookie(connection: HTTPConnection) -> bool:
    """Whether the browser added the token by itself, so that another site's page may be behind."""
    has_bearer = connection.headers.get("authorization", "").lower().startswith(_BEARER)
    return not has_bearer and sessions.COOKIE in connection.cookies


def session_of(connection: HTTPConnection, key: str) -> Session:
    """Who asks; read once a request. Raises NotSignedIn."""
    known: Session | None = connection.scope.get(_KNOWN)
    if known is None:
        known = connection.scope[_KNOWN] = _read(connection, key)
    return known


def _read(connection: HTTPConnection, key: str) -> Session:
    token = token_of(connection)
    if token is None:
        raise NotSignedIn("Send a bearer token, or sign in: POST /v1/session.")
    return session_of_token(token, key)


def session_of_token(token: str, key: str) -> Session:
    """Whose token it is. Raises NotSignedIn."""
    try:
        return sessions.read(token, key=key, now=dt.datetime.now(dt.UTC))
    except BadSession as error:
        raise NotSignedIn(f"{str(error).capitalize()}.") from error


def is_own_origin(connection: HTTPConnection) -> bool:
    """Whether the page that asks is ours. A browser always says on a socket and on unsafe methods;
    whoever does not say is no browser."""
    origin = connection.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == connection.headers.get("host", "")
