"""Run one command beside the stack: Ctrl-C reaches the command, never the services."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType

from deploy.local import say
from deploy.local.places import Places
from deploy.local.stack import Stack, exports, running

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Command:
    """The command we run, and what a signal to us means before, during and after it."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None

    def run(self, words: Sequence[str], environ: Mapping[str, str]) -> int:
        """Run it to its end; its exit code, as a shell would give it."""
        try:
            self._child = subprocess.Popen(list(words), env=dict(environ))
        except FileNotFoundError:
            say.line(f"no such command: {words[0]}")
            return 127
        code = self._child.wait()
        return code if code >= 0 else 128 - code

    @contextmanager
    def signals(self) -> Iterator[None]:
        """While services start, a signal gives up; then it is the command's; later it waits."""
        before = {number: signal.signal(number, self._on_signal) for number in STOPPING}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        if self._child is None:
            raise KeyboardInterrupt
        if number != signal.SIGINT:  # which a terminal has sent to the command as well
            self._child.send_signal(number)


def run(words: Sequence[str], places: Places, environ: Mapping[str, str] | None = None) -> int:
    """Bring the stack up, run the command to its end, stop what was started; its exit code."""
    environ = os.environ if environ is None else environ
    command = Command()
    with command.signals(), running(places, environ) as stack:
        say_chosen(stack)
        return command.run(words, {**environ, **exports(places, stack)})


def say_chosen(stack: Stack) -> None:
    started = f" (started: {', '.join(stack.started)})" if stack.started else " (already running)"
    for part in stack.why.split("; "):
        say.line(f"  {part}")
    say.line(f"  stack is up{started}")
