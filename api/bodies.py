"""Bodies of requests: how large they may be, and that they are JSON where JSON is read.

The limit holds whatever the request says of its length: a length that is said is believed when it
is too large, and what comes is counted all the same.
"""

from typing import Final

from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope

from api.problems import TooLarge, UnsupportedMediaType
from schemas import limits

FILES: Final = "/v1/imports/"  # below it bodies are files, of a size and a kind of their own
_SAFE: Final = frozenset(("GET", "HEAD", "OPTIONS", "DELETE"))
_JSON: Final = ("application/json", "text/json")


class Body:
    """The body of one request, counted as it comes."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._headers = Headers(scope=scope)
        self._receive = receive
        self.is_file = scope["method"] not in _SAFE and scope["path"].startswith(FILES)
        self._method = scope["method"]
        self._size = 0
        self.bytes_max = limits.IMPORT_BYTES_MAX if self.is_file else limits.BODY_BYTES_MAX
        self.is_too_large = False

    def check(self) -> None:
        """What the head of the request already tells. Raises TooLarge or UnsupportedMediaType."""
        said = self._headers.get("content-length", "0")
        if said.isascii() and said.isdecimal() and int(said) > self.bytes_max:
            raise self.refusal()
        has_body = said != "0" or "transfer-encoding" in self._headers
        if has_body and not self.is_file and self._method not in _SAFE:
            require_json(self._headers.get("content-type"))

    async def receive(self) -> Message:
        """The next part. Raises TooLarge as soon as it is too much."""
        message = await self._receive()
        if message["type"] == "http.request":
            self._size += len(message.get("body", b""))
            if self._size > self.bytes_max:
                self.is_too_large = True
                raise self.refusal()
        return message

    def refusal(self) -> TooLarge:
        """What the sender is told."""
        return TooLarge(f"A body has at most {self.bytes_max} bytes here; send less at once.")


def require_json(content_type: str | None) -> None:
    """No kind at all is taken for JSON. Raises UnsupportedMediaType."""
    if content_type is None:
        return
    kind = content_type.partition(";")[0].strip().lower()
    if kind not in _JSON and not (kind.startswith("application/") and kind.endswith("+json")):
        raise UnsupportedMediaType(
            f"'{kind[:100]}' is not read here. Send JSON, with the header "
            f"'Content-Type: application/json'."
        )
