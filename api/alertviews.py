"""A raised alert as the payee and who leads him read it."""

from decimal import Decimal
from typing import Final

from db.progress import Raised
from domain.pace import short_of_pace
from schemas.live import AlertView
from schemas.messages import Alert
from schemas.money import ONE, exact, ratio, text_of

_HUNDRED: Final = Decimal(100)


def view(raised: Raised) -> AlertView:
    """Its evidence in words. Must run within `exact_arithmetic`."""
    alert = raised.alert
    return AlertView(
        alert_id=alert.alert_id,
        payee_id=raised.payee_id,
        kind=alert.kind,
        severity=alert.severity,
        raised_on=alert.raised_on or alert.business_date,
        is_acknowledged=raised.is_acknowledged,
        short_of_pace=short_of(alert),
        text=f"{evidence(alert)} {alert.suggested_action}".strip(),
    )


def short_of(alert: Alert) -> str:
    """The money that was missing to what was expected. Must run within `exact_arithmetic`."""
    missing = short_of_pace(exact(alert.credited), exact(alert.quota), exact(alert.expected_share))
    return text_of(missing)


def evidence(alert: Alert) -> str:
    """ "46.5 % of quota, where 90 % is expected by now (last_year)."."""
    return (
        f"{_percent(alert.attainment_ratio)} of quota, where {_percent(alert.expected_share)} "
        f"is expected by now ({alert.curve})."
    )


def _percent(fraction: str) -> str:
    """Rounded down to a tenth of a percent: never a false 100 %."""
    return f"{ratio(exact(fraction) * _HUNDRED, ONE, places=1)} %"
