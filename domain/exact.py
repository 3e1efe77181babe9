"""Exact decimal arithmetic, entered once per batch by whoever calls the domain."""

import decimal
from contextlib import AbstractContextManager

from schemas import limits
from schemas.money import EXACT


def exact_arithmetic() -> AbstractContextManager[decimal.Context]:
    """Within it, whatever would lose a digit raises. Per thread; about 2 us, so once per batch.

    Whoever calls `crediting.credit`, `accounts.evaluate`, `accounts.payout_of`, `statements` or
    `pay` must be inside; credit and evaluate assert it.
    """
    return decimal.localcontext(EXACT)


def is_exact() -> bool:
    """Whether the caller is inside `exact_arithmetic`."""
    return decimal.getcontext().prec == limits.CALCULATION_DIGITS
