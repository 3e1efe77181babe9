"""docs/errors.md: every problem, refusal and reason to hold, with what to do; from the code."""

from collections.abc import Iterator
from typing import Final

from api.problems import KINDS, TYPE_PREFIX, ApiError
from domain.fates import HOLD_WORDS
from schemas.live import CLOSE_REASONS
from schemas.refusals import HOLDS, REMEDIES

_HEAD: Final = """\
# Errors

What each answer that is no success means, and what to do. Written by `python -m api.generate`
from the code; the product serves the same at the address in a problem's `type`.

Every error of the API is a problem document (RFC 9457):

```json
{
  "type": "/docs#problem-invalid", "title": "The request breaks the contract", "status": 422,
  "detail": "The deal was refused; nothing was recorded.",
  "request_id": "5a1f4c8e9d0b4a7f8c2e6d1b3a5f7c9e",
  "errors": [
    {
      "code": "breaks_contract", "detail": "Expected `str`, got `float`", "pointer": "/amount",
      "remedy": "Mend the named field. Amounts are strings: '1.50'."
    }
  ]
}
```

`pointer` is a place in the body, `parameter` one in the query or a header. `request_id` is also in
the header `X-Request-ID`; it leads to the log line of the request.
"""


def catalogue() -> str:
    """The document's text."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield _HEAD
    yield "## Problems\n"
    for kind in KINDS:
        yield from _problem(kind)
    yield "## Refused deals\n"
    yield (
        "In `errors` of a POST, in the dead letters of the topic, and in the error file of an "
        "import.\n"
    )
    yield "| code | what to do |"
    yield "|---|---|"
    yield from (f"| `{code.value}` | {remedy} |" for code, remedy in REMEDIES.items())
    yield "\n## Held shares\n"
    yield "A won deal that cannot be credited yet. Once the reason is gone it is, by itself.\n"
    yield "| reason | means | what to do |"
    yield "|---|---|---|"
    yield from (
        f"| `{reason.value}` | {HOLD_WORDS[reason]} | {remedy} |"
        for reason, remedy in HOLDS.items()
    )
    yield "\n## The live socket closes\n"
    yield "| code | what to do |"
    yield "|---|---|"
    yield from (f"| {code.value} | {reason} |" for code, reason in CLOSE_REASONS.items())


def _problem(kind: type[ApiError]) -> Iterator[str]:
    yield f"### problem-{kind.slug}\n"
    meaning = (kind.__doc__ or "").strip()
    yield f"{kind.status}, `{TYPE_PREFIX}{kind.slug}`: {kind.title}. {meaning}\n"
    yield f"**What to do.** {kind.remedy}\n"
