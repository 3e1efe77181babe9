"""A second process of the same program that lives and dies with this one."""

import ctypes
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from multiprocessing.connection import wait
from types import TracebackType
from typing import Any, Final, Self

import structlog

from schemas import limits

log = structlog.get_logger()

_PR_SET_PDEATHSIG: Final = 1  # Linux: the signal a process gets when its parent is gone


class Beside:
    """Runs `target(*args)` in a new process; `target` returns its exit code.

    When it ends by itself, this process is told to stop (SIGTERM) and `has_failed` is set. When
    this process dies, however it does, the other is told to stop as well.
    """

    def __init__(self, target: Callable[..., int], *args: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self._process = context.Process(target=_run, args=(os.getpid(), target, args))
        self._is_stopping = False
        self.has_failed = False

    def __enter__(self) -> Self:
        self._process.start()
        threading.Thread(target=self._watch, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_stopping = True
        self._process.terminate()
        self._process.join(limits.STOP_SECONDS_MAX)
        if self._process.exitcode is None:
            self._process.kill()
            self._process.join()

    def _watch(self) -> None:
        wait([self._process.sentinel])
        if not self._is_stopping:
            self.has_failed = True
            log.error("process_beside_ended", exit_code=self._process.exitcode)
            os.kill(os.getpid(), signal.SIGTERM)


def _run(parent: int, target: Callable[..., int], args: tuple[Any, ...]) -> None:
    os.setsid()  # Ctrl-C reaches the parent, which stops us in order
    if hasattr(ctypes.CDLL(None), "prctl"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it was gone before we asked
        raise SystemExit(1)
    raise SystemExit(target(*args))
