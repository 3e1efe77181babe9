"""Money is exact: the one place where text becomes a Decimal, and where a Decimal is rounded.

An amount travels as a pattern-checked string (JSON numbers, NaN and exponents are refused before a
Decimal is made). Arithmetic runs under EXACT, whose context traps Inexact: whatever would lose a
digit raises, except inside `rounded` and `ratio`, which say how they round.
"""

import decimal
import enum
from decimal import Decimal
from typing import Annotated, Final, NewType

import msgspec

from schemas import limits

AMOUNT_PATTERN: Final = (
    rf"^-?(0|[1-9][0-9]{{0,{limits.AMOUNT_INTEGER_DIGITS_MAX - 1}}})"
    rf"(\.[0-9]{{1,{limits.AMOUNT_SCALE_MAX}}})?$(?!\n)"
)
RATE_PATTERN: Final = rf"^(0|[1-9][0-9]{{0,8}})(\.[0-9]{{1,{limits.RATE_SCALE_MAX}}})?$(?!\n)"
BOOKED_PATTERN: Final = r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?$(?!\n)"
CURRENCY_PATTERN: Final = r"^[A-Z]{3}$(?!\n)"

Amount = Annotated[
    str,
    msgspec.Meta(
        pattern=AMOUNT_PATTERN,
        description="An amount of money as text, e.g. '32184.03'; never a JSON number.",
        examples=["32184.03"],
    ),
]
Booked = Annotated[
    str,
    msgspec.Meta(
        pattern=BOOKED_PATTERN,
        description="An amount as booked: exact, so it may have more places than an Amount.",
        examples=["32184.0312"],
    ),
]
Rate = Annotated[
    str,
    msgspec.Meta(
        pattern=RATE_PATTERN,
        description="A share, rate or ratio as a fraction of one, as text, e.g. '0.015'.",
        examples=["0.015"],
    ),
]
CurrencyText = Annotated[
    str, msgspec.Meta(pattern=CURRENCY_PATTERN, description="ISO 4217 code.", examples=["USD"])
]
Currency = NewType("Currency", str)

EXACT: Final = decimal.Context(
    prec=limits.CALCULATION_DIGITS,
    rounding=decimal.ROUND_HALF_EVEN,
    traps=[
        decimal.Inexact,
        decimal.InvalidOperation,
        decimal.DivisionByZero,
        decimal.Overflow,
        decimal.FloatOperation,
    ],
)
_ROUNDING: Final = decimal.Context(
    prec=limits.CALCULATION_DIGITS, traps=[decimal.InvalidOperation, decimal.DivisionByZero]
)

ZERO: Final = Decimal(0)
ONE: Final = Decimal(1)

# Minor units of the currencies we know (ISO 4217). A currency not listed is "unknown": held.
_NO_PLACES: Final = "CLP ISK JPY KRW PYG UGX VND XAF XOF"
_TWO_PLACES: Final = (
    "AED ARS AUD BGN BOB BRL CAD CHF CNY COP CRC CZK DKK DOP EGP EUR GBP GTQ HKD HNL HUF IDR ILS "
    "INR KES LKR MAD MUR MXN MYR NGN NIO NOK NZD PAB PEN PHP PKR PLN QAR RON RSD RUB SAR SEK SGD "
    "THB TRY TWD UAH USD UYU VES ZAR"
)
_THREE_PLACES: Final = "BHD IQD JOD KWD LYD OMR TND"
MINOR_UNITS: Final[dict[str, int]] = {
    **dict.fromkeys(_NO_PLACES.split(), 0),
    **dict.fromkeys(_TWO_PLACES.split(), 2),
    **dict.fromkeys(_THREE_PLACES.split(), 3),
}


class RoundingMode(enum.StrEnum):
    """How a plan rounds; the names are the trade's."""

    HALF_EVEN = "half_even"
    HALF_UP = "half_up"
    DOWN = "down"


_DECIMAL_MODE: Final = {
    RoundingMode.HALF_EVEN: decimal.ROUND_HALF_EVEN,
    RoundingMode.HALF_UP: decimal.ROUND_HALF_UP,
    RoundingMode.DOWN: decimal.ROUND_DOWN,
}


def exact(text: str) -> Decimal:
    """The Decimal an Amount, Booked or Rate text stands for; -0 becomes 0."""
    value = Decimal(text)
    return value if value else ZERO


def text_of(value: Decimal) -> str:
    """The text of a Decimal: plain digits, no exponent, its own scale; zero has no sign."""
    return format(value if value else abs(value), "f")


def rounded(value: Decimal, *, mode: RoundingMode, places: int) -> Decimal:
    """`value` at `places` decimals. The only place where money loses a digit."""
    quantum = Decimal(1).scaleb(-places)
    return value.quantize(quantum, rounding=_DECIMAL_MODE[mode], context=_ROUNDING)


def ratio(part: Decimal, whole: Decimal, *, places: int = limits.AMOUNT_SCALE_MAX) -> Decimal:
    """`part / whole` as a fraction of one, rounded down so that 0.99999999 never shows as 1.

    Raises decimal.DivisionByZero when `whole` is zero: who has no quota has no ratio, so ask first.
    """
    quantum = Decimal(1).scaleb(-places)
    quotient = _ROUNDING.divide(part, whole)
    return quotient.quantize(quantum, rounding=decimal.ROUND_FLOOR, context=_ROUNDING)
