"""A JSON body as a declared Struct; what does not fit is named by its place."""

import re
from typing import Any, Final, TypeVar

import msgspec

from api.problems import Fault, Invalid, Malformed, pointer

S = TypeVar("S", bound=msgspec.Struct)
_UNKNOWN_FIELD: Final = re.compile(r"Object contains unknown field `([^`.\[\]$]+)`")
_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def decoded(body: bytes, kind: type[S], *, remedy: str) -> S:
    """The body as that Struct; `remedy` says what to send. Raises Malformed or Invalid."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise _invalid(error, body, remedy) from error
    except _UNREADABLE as error:
        fault = Fault(code="unreadable", detail=str(error), pointer="", remedy=remedy)
        raise Malformed(f"The body is not JSON: {error}.", errors=(fault,)) from error


def place(problem: str) -> tuple[str, str]:
    """The pointer and the words of what msgspec says: 'Expected `str`, got `float` - at
    `$.amount`'; an unknown field is named by its own place."""
    what, _, where = problem.rpartition(" - at `")
    what, at = (what, pointer(where.rstrip("`"))) if what else (problem, "")
    unknown = _UNKNOWN_FIELD.fullmatch(what)
    return (at + pointer(unknown[1]) if unknown else at), what


def _invalid(error: msgspec.ValidationError, body: bytes, remedy: str) -> Malformed | Invalid:
    """msgspec stops at the first field that does not fit: what follows may be no JSON at all."""
    try:
        _: Any = msgspec.json.decode(body)
    except _UNREADABLE as unreadable:
        fault = Fault(code="unreadable", detail=str(unreadable), pointer="", remedy=remedy)
        return Malformed(f"The body is not JSON: {unreadable}.", errors=(fault,))
    at, what = place(str(error))
    return Invalid(
        f"{what}.", errors=(Fault(code="invalid", detail=what, pointer=at, remedy=remedy),)
    )
