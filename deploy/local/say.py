"""Progress for a person: plain lines, and on a terminal one live line with the elapsed time."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

TICK_SECONDS = 0.2
FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


def line(text: str) -> None:
    """One line on standard error, so that standard output stays for what programs read."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


class Progress:
    """Several steps at once, each with a line when it ends; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[str, float] = {}
        self._ended = threading.Event()
        self._is_live = sys.stderr.isatty()
        self._ticker = threading.Thread(target=self._tick, daemon=True)

    def __enter__(self) -> Progress:
        if self._is_live:
            self._ticker.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._is_live:
            self._ticker.join()
            self._erase()

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Announce a step that takes time, and report how it ended."""
        started = time.monotonic()
        with self._lock:
            self._running[what] = started
            if not self._is_live:
                line(f"  ... {what}")
        mark = "FAIL"
        try:
            yield
            mark = " ok "
        finally:
            with self._lock:
                del self._running[what]
                self._erase()
                line(f" {mark} {what} ({time.monotonic() - started:.1f} s)")

    def _tick(self) -> None:
        frame = 0
        while not self._ended.wait(TICK_SECONDS):
            frame += 1
            with self._lock:
                now = time.monotonic()
                steps = [f"{what} {now - since:.0f} s" for what, since in self._running.items()]
                if steps:
                    text = f"  {FRAMES[frame % len(FRAMES)]} {'  |  '.join(steps)}"
                    sys.stderr.write(f"\r\x1b[2K{text[:110]}")
                    sys.stderr.flush()

    def _erase(self) -> None:
        if self._is_live:
            sys.stderr.write("\r\x1b[2K")
