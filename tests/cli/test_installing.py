"""One installation a folder: a second one is refused, and says who is there."""

import os
from pathlib import Path

import pytest

from cli.failures import Failure
from cli.installing import alone
from deploy.local.places import Places


def test_a_second_installation_is_refused(tmp_path: Path) -> None:
    """It would end the first one's processes; after the first has ended it may run."""
    places = Places.here(tmp_path)
    with alone(places), pytest.raises(Failure, match=f"process {os.getpid()}"), alone(places):
        pass
    with alone(places):
        pass
