"""What a person sees: steps with their times, tables, one line that changes."""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.table import Table

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


@contextmanager
def step(what: str) -> Iterator["Progress"]:
    """A step that takes time: shown while it runs, and with its duration when it has ended."""
    started = time.monotonic()
    progress = Progress(what)
    try:
        yield progress
    except BaseException:
        progress.end(f"[red]failed[/] {what}")
        raise
    said = f" {progress.result}" if progress.result else ""
    progress.end(f"[green]  ok[/] {what}{said} [dim]({time.monotonic() - started:.1f} s)[/]")


class Progress:
    """The line of a running step; `result` is said behind it at its end."""

    def __init__(self, what: str) -> None:
        self._what = what
        self.result = ""
        self._status = err.status(f"{what} ...") if err.is_terminal else None
        if self._status is not None:
            self._status.start()

    def say(self, text: str) -> None:
        """Show how far it is, on a terminal."""
        if self._status is not None:
            self._status.update(f"{self._what}: {text}")

    def end(self, text: str) -> None:
        """Replace the running line by the last one."""
        if self._status is not None:
            self._status.stop()
        err.print(text)


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Rows under headings, on standard output."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column)
    for row in rows:
        made.add_row(*(str(cell) for cell in row))
    Console(highlight=False, width=None if sys.stdout.isatty() else 200).print(made)
