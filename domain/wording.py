"""How money, rates, roles and causes are said to people, in one place.

A rate is shown whole, never rounded: "1.25 %". An amount has two places, more only where it has
them; grouping by commas.
"""

from decimal import Decimal
from typing import Final

from schemas.ids import ComponentId
from schemas.messages import Cause, Role
from schemas.money import text_of

_HUNDRED: Final = Decimal(100)
_PLACES_MIN: Final = 2

ROLES: Final[dict[Role, str]] = {
    Role.OWNER: "Owner",
    Role.SPLIT: "Split",
    Role.OVERLAY: "Overlay",
    Role.ROLLUP: "Team roll-up",
}
CAUSES: Final[dict[Cause, str]] = {
    Cause.DEAL_CREDITED: "deal credited",
    Cause.DEAL_CHANGED: "deal changed at its source",
    Cause.DEAL_CANCELLED: "deal cancelled",
    Cause.REFERENCE_CHANGED: "people, quotas or rules changed",
    Cause.COMMAND: "credited again after people, quotas or rules changed",
}


def money(amount: Decimal) -> str:
    """ "32,184.03"; a minus sign in front of a negative."""
    whole, _, fraction = text_of(abs(amount)).partition(".")
    shown = f"{int(whole):,}.{fraction.rstrip('0').ljust(_PLACES_MIN, '0')}"
    return f"-{shown}" if amount < 0 else shown


def change(amount: Decimal) -> str:
    """ "+482.76" or "-482.76": a change, with its sign."""
    return money(amount) if amount < 0 else f"+{money(amount)}"


def rate(fraction: Decimal) -> str:
    """ "1.5 %" of 0.015, whole."""
    text = text_of(fraction * _HUNDRED)
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text} %"


def component(component_id: ComponentId | str) -> str:
    """A component's id as words: "own_orders" is "Own orders"."""
    words = str(component_id).replace("_", " ").replace("-", " ").strip()
    return f"{words[:1].upper()}{words[1:]}"


def key_of(deal_id: str) -> str:
    """The source's own id of a deal, as people know it: "SO69393" of "adventureworks:SO69393"."""
    return deal_id.partition(":")[2] or deal_id


def count(number: int, noun: str) -> str:
    """ "1 deal", "12 deals"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
