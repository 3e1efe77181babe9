"""Run one command beside the stack: Ctrl-C reaches the command, never the services."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from types import FrameType

from deploy.local import say
from deploy.local.places import Places
from deploy.local.stack import Stack, exports, running

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run(command: Sequence[str], places: Places, environ: Mapping[str, str] | None = None) -> int:
    """Bring the stack up, run the command to its end, stop what was started; its exit code."""
    environ = os.environ if environ is None else environ
    with running(places, environ) as stack:
        say_chosen(stack)
        return wait_for(command, {**environ, **exports(places, stack)})


def wait_for(command: Sequence[str], environ: Mapping[str, str]) -> int:
    """A terminal sends Ctrl-C to the command as well as to us; SIGTERM and SIGHUP we pass on."""
    child: subprocess.Popen[bytes] | None = None

    def pass_on(number: int, _: FrameType | None) -> None:
        if child is not None and number != signal.SIGINT:
            child.send_signal(number)

    before = {number: signal.signal(number, pass_on) for number in STOPPING}
    try:
        child = subprocess.Popen(list(command), env=dict(environ))
        code = child.wait()
    except FileNotFoundError:
        say.line(f"no such command: {command[0]}")
        return 127
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return code if code >= 0 else 128 - code


def say_chosen(stack: Stack) -> None:
    started = f" (started: {', '.join(stack.started)})" if stack.started else " (already running)"
    for part in stack.why.split("; "):
        say.line(f"  {part}")
    say.line(f"  stack is up{started}")
