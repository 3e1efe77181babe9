"""The processes of an installation on this machine: started, watched, stopped, never restarted.

Each runs in a session of its own, so that Ctrl-C reaches only us and they are stopped in order.
What a killed run left behind is stopped before a new one starts.
"""

import os
import sys
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Final, Self

from cli.failures import Failure
from deploy.local.places import Places
from deploy.local.process import (
    Service,
    await_ready,
    forget,
    is_alive,
    recall,
    remember,
    spawn,
    stop,
    tail,
)

STOP_SECONDS_MAX: Final = 30
READY_SECONDS_MAX: Final = 60


class Children:
    """Use it as a context manager: all that were started are stopped, the last one first."""

    def __init__(self, places: Places, environ: Mapping[str, str]) -> None:
        self._places = places
        self._environ = {**os.environ, **environ, "PYTHONUNBUFFERED": "1"}
        self._running: list[Service] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for child in reversed(self._running):
            stop(child, seconds_max=STOP_SECONDS_MAX)
            forget(child.name, self._places.run)
        self._running.clear()

    def start(self, name: str, command: Sequence[str], *, port: int) -> Service:
        """Run `paceboard COMMAND`, with its output in a log file of its own."""
        left = recall(name, self._places.run)
        if left is not None and is_alive(left):
            stop(left, seconds_max=STOP_SECONDS_MAX)
        log = self._places.logs / f"{name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("")
        argv = [sys.executable, "-m", "cli.main", *command]
        child = spawn(name, argv, port=port, log=log, environ=self._environ)
        remember(child, self._places.run)
        self._running.append(child)
        return child

    def await_port(self, child: Service) -> None:
        """Until it accepts connections; fails with the end of its log."""
        from deploy.local.process import answers

        await_ready(
            child,
            lambda: answers("127.0.0.1", child.port, seconds_max=1),
            log=self._places.logs / f"{child.name}.log",
            seconds_max=READY_SECONDS_MAX,
        )

    def check(self) -> None:
        """Raise Failure when one has died, with the end of its log."""
        for child in self._running:
            if not is_alive(child):
                log = self._places.logs / f"{child.name}.log"
                raise Failure(
                    f"the {child.name} has ended by itself; the end of {log}:\n{tail(log)}\n"
                    "everything was stopped; when it is mended start again"
                )

    def watch(self, *, seconds: float = 0.2) -> None:
        """Until one dies or somebody interrupts."""
        while True:
            self.check()
            time.sleep(seconds)
