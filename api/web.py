"""The web client: its assets under /assets, its page by explicit routes. Nothing is mounted at `/`,
so an unknown address is a problem document and not a page."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

from fastapi import APIRouter, FastAPI
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Message, Receive, Scope, Send

PAGES: Final = (
    "/",
    "/boards",
    "/boards/{board_id}",
    "/people/{payee_id}",
    "/people/{payee_id}/deals/{deal_id}",
    "/people/{payee_id}/statements",
    "/people/{payee_id}/statements/{period}",
    "/deals/{deal_id}",
    "/team/{payee_id}",
    "/alerts/{alert_id}",
    "/admin",
    "/admin/held",
    "/admin/dead-letters",
    "/admin/not-eligible",
    "/admin/periods/{period}",
    "/imports",
    "/imports/{import_id}",
)
FOR_A_YEAR: Final = "public, max-age=31536000, immutable"
_WITH_DIGEST: Final = re.compile(r"-[\w-]{8}\.\w+$")
ASKED_EACH_TIME: Final = "no-cache"
NOT_BUILT: Final = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Paceboard</title>
<h1>The web pages are not built yet</h1>
<p>In the repository, run: <code>make setup</code></p>
<p>The API is here: <a href="/docs">its documentation</a>.</p>
</html>
"""


def install(app: FastAPI, folder: Path) -> None:
    """Serve the client built into `folder`; where there is none, a page that says what to do."""
    router = APIRouter(include_in_schema=False)
    for path in PAGES:
        router.add_api_route(path, _page(folder), methods=["GET", "HEAD"])
    app.include_router(router)
    app.mount("/assets", _Assets(directory=folder / "assets", check_dir=False))


def _page(folder: Path) -> Callable[[], Response]:
    index = folder / "index.html"

    def page() -> Response:
        if not index.is_file():
            return HTMLResponse(NOT_BUILT, status_code=503)
        return FileResponse(index, headers={"Cache-Control": ASKED_EACH_TIME})

    return page


class _Assets(StaticFiles):
    """Names with a digest in them never change; the others are asked for each time."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not Path(str(self.directory)).is_dir():
            raise HTTPException(404)
        lasting = _WITH_DIGEST.search(scope["path"])

        async def with_age(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 200:
                age = FOR_A_YEAR if lasting else ASKED_EACH_TIME
                message["headers"] = [*message["headers"], (b"cache-control", age.encode())]
            await send(message)

        await super().__call__(scope, receive, with_age)
