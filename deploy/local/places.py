"""Where things are: what set-up makes (large, kept) and what a stack leaves behind (its state)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
STATE_VARIABLE = "PACEBOARD_STATE"


@dataclass(frozen=True, kw_only=True)
class Places:
    """Every path of the local stack; `state` may be another folder than `made` (tests do that)."""

    repository: Path
    made: Path
    state: Path

    @classmethod
    def here(cls, state: Path | None = None) -> Places:
        """This checkout's; the state is that folder, else PACEBOARD_STATE, else the main one."""
        made = REPOSITORY / ".paceboard"
        given = os.environ.get(STATE_VARIABLE)
        if state is None and given:
            state = Path(given)
        return cls(repository=REPOSITORY, made=made, state=state.resolve() if state else made)

    @property
    def venv(self) -> Path:
        return self.made / "venv"

    @property
    def venv_python(self) -> Path:
        return self.venv / "bin" / "python"

    @property
    def kafka_jars(self) -> Path:
        return self.made / "kafka" / "libs"

    @property
    def timescale_root(self) -> Path:
        return self.made / "timescale"

    @property
    def stamps(self) -> Path:
        return self.made / "stamps"

    @property
    def run(self) -> Path:
        return self.state / "run"

    @property
    def logs(self) -> Path:
        return self.state / "log"

    @property
    def data(self) -> Path:
        return self.state / "data"

    @property
    def secrets(self) -> Path:
        return self.state / "secrets"

    @property
    def is_main_state(self) -> bool:
        """TimescaleDB keeps its data inside its root, so only the main state can have one."""
        return self.state == self.made
