"""One process that serves HTTP, the live socket and the web pages on one port."""

import uvicorn

from api import config, logs
from api.app import create_app
from api.websocket import LiveProtocol
from schemas import limits
from schemas.settings import Settings

SHUTDOWN_SECONDS = 10


def serve(settings: Settings, host: str, port: int) -> None:
    """Until SIGTERM or Ctrl-C. Requests under way are finished, sockets are told to come again."""
    logs.configure(config.log_level(settings))
    server(settings, host, port).run()


def server(settings: Settings, host: str, port: int) -> uvicorn.Server:
    """The server, not yet running."""
    return uvicorn.Server(
        uvicorn.Config(
            create_app(settings),
            host=host,
            port=port,
            ws=LiveProtocol,
            ws_max_size=limits.FRAME_BYTES_MAX,
            ws_per_message_deflate=False,  # what is sent once to many would be packed for each
            access_log=False,
            log_config=None,
            server_header=False,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        )
    )
