"""What the API alone is told by the environment; schemas/settings.py has the rest."""

from pathlib import Path
from typing import Final

from schemas.settings import Settings

DEMO: Final = "PACEBOARD_DEMO"  # "1": anybody may sign in as a demo user
METRICS_TOKEN: Final = "PACEBOARD_METRICS_TOKEN"  # without it only this machine may read /metrics
WEB: Final = "PACEBOARD_WEB"  # where the built web client is
LOG_LEVEL: Final = "PACEBOARD_LOG_LEVEL"
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
