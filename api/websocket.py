"""uvicorn's WebSocket protocol, but a reader who has stopped reading can be closed.

As it comes, even the close waits until the reader has taken what was sent before: a stopped reader
would keep its connection for as long as TCP keeps it.
"""

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol


class LiveProtocol(WebSocketsSansIOProtocol):
    """`websockets-sansio`, with an end to every close."""

    async def send(self, message: ASGISendEvent) -> None:
        """A close is put behind what waits, and after `close_timeout` the connection is cut."""
        if message["type"] == "websocket.close" and not self.close_sent:
            self.writable.set()
            self.loop.call_later(self.close_timeout, self.transport.abort)
        await super().send(message)
