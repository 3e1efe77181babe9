"""One installation a folder: a second one is refused, and says who is there."""

import os
from pathlib import Path

import pytest

from cli import demonstration
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


def test_demos_of_two_state_folders_can_share_a_server(tmp_path: Path) -> None:
    """Each has names of its own, and keeps them from one start to the next."""
    places = [Places.here(tmp_path / name) for name in ("one", "two")]
    found = [demonstration.names(place, number) for place in places for number in (1, 2)]
    assert len({names["PACEBOARD_DATABASE"] for names in found}) == len(found)
    assert len({names["PACEBOARD_TOPIC_PREFIX"] for names in found}) == len(found)
    assert demonstration.names(places[0], 1) == found[0]
