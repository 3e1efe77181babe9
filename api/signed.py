"""Who asks, for HTTP handlers: the session, judged by the users and the hierarchy of now."""

from fastapi import Request

from api import access, signin
from api.problems import Forbidden
from api.services import services_of
from api.sessions import Session
from api.world import World


def session(request: Request) -> Session:
    """The session, with the role its user had when the database was asked last.

    Needs no database. Raises NotSignedIn, or Forbidden for another site's page that uses the
    browser's cookie.
    """
    services = services_of(request)
    found = _token(request)
    world = services.worlds.last()
    return found if world is None else access.in_force(found, world)


def session_in(request: Request, world: World) -> Session:
    """The same, with the role and payee that the user has in that world. Raises NotSignedIn."""
    return access.in_force(_token(request), world)


def _token(request: Request) -> Session:
    if request.method not in signin.SAFE_METHODS and signin.is_by_cookie(request):
        require_own_origin(request)
    return signin.session_of(request, services_of(request).session_key)


def require_own_origin(request: Request) -> None:
    """Raises Forbidden unless the browser says that our own page asks."""
    if "origin" not in request.headers or not signin.is_own_origin(request):
        raise Forbidden("With a cookie, changes are made from Paceboard's own pages only.")
