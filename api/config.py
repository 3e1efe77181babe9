"""What the API alone is told by the environment; schemas/settings.py has the rest."""

import re
from pathlib import Path
from typing import Final

from api.rates import Budget, Budgets
from schemas.settings import SettingInvalid, Settings

DEMO: Final = "PACEBOARD_DEMO"  # "1": anybody may sign in as a demo user
METRICS_TOKEN: Final = "PACEBOARD_METRICS_TOKEN"  # without it only this machine may read /metrics
WEB: Final = "PACEBOARD_WEB"  # where the built web client is
LOG_LEVEL: Final = "PACEBOARD_LOG_LEVEL"
RATE: Final = "PACEBOARD_RATE_"  # and READS, WRITES, SIGN_INS or FRAMES: "100/1000"
_RATE: Final = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)/([1-9][0-9]{0,8})")
_WEB_DIST: Final = Path(__file__).resolve().parent.parent / "web" / "dist"


def is_demo(settings: Settings) -> bool:
    """Whether the demo's sign-in is open."""
    return settings.values.get(DEMO) == "1"


def metrics_token(settings: Settings) -> str | None:
    """The bearer token a scraper on another machine must send."""
    return settings.values.get(METRICS_TOKEN)


def web_folder(settings: Settings) -> Path:
    """The built web client."""
    return Path(settings.values.get(WEB, str(_WEB_DIST)))


def log_level(settings: Settings) -> str:
    """The least severe level that is logged."""
    return settings.values.get(LOG_LEVEL, "info")


def budgets(settings: Settings) -> Budgets:
    """The callers' budgets: those of schemas/limits.py, but for those that are set here."""
    usual = Budgets()
    return Budgets(*(_budget(settings, budget) for budget in usual))


def _budget(settings: Settings, usual: Budget) -> Budget:
    variable = RATE + usual.name.replace("-", "_").upper()
    given = settings.values.get(variable)
    if given is None:
        return usual
    match = _RATE.fullmatch(given)
    if match is None or float(match[1]) == 0:
        raise SettingInvalid(variable, "it is a rate a second and how many at once, as 100/1000")
    return Budget(usual.name, float(match[1]), int(match[2]))
