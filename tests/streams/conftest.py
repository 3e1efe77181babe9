"""What the tests of the processors share."""

import pytest

from schemas import limits


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch that is tried again is tried at once."""
    monkeypatch.setattr(limits, "UNREACHABLE_PAUSE_SECONDS", 0)
    monkeypatch.setattr("streams.batch._RETRY_PAUSE_S", 0)
