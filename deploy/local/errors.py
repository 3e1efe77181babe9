"""What can stop the local stack, each with the words that a person needs to go on."""

from __future__ import annotations


class LocalError(Exception):
    """The root of this package's errors; the command line prints it and exits with 1."""


class Missing(LocalError):
    """Something this machine lacks, and the command that brings it."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"missing: {what}\n  to get it: {remedy}")
        self.what = what
        self.remedy = remedy


class Failed(LocalError):
    """A program we ran ended badly; its last words are part of the message."""
