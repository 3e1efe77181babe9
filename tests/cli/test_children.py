"""Processes of `paceboard up`: a death is reported with its last words, all are stopped."""

import sys
import time
from pathlib import Path

import pytest

import cli.children as module
from cli.children import Children
from cli.failures import Failure
from deploy.local import process
from deploy.local.places import Places
from deploy.local.process import Service, is_alive


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places.here(tmp_path)


def python(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is started runs this instead of `paceboard`."""

    def spawn(name: str, argv: object, **named: object) -> Service:
        return original(name, [sys.executable, "-c", code], **named)  # type: ignore[arg-type]

    original = process.spawn
    monkeypatch.setattr(module, "spawn", spawn)


def test_a_death_is_told_with_the_end_of_the_log(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is restarted in silence."""
    python("raise SystemExit('no more ink')", monkeypatch)
    with Children(places, {}) as children, pytest.raises(Failure, match="no more ink"):
        children.start("worker", ["worker"], port=0)
        children.watch(seconds=0.05)


def test_all_are_stopped_at_the_end(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """By SIGTERM, the last one first; their notes are gone."""
    python("import time; time.sleep(60)", monkeypatch)
    with Children(places, {}) as children:
        found = [children.start(name, [name], port=0) for name in ("worker", "api")]
        time.sleep(0.2)
        children.check()
    assert not any(is_alive(child) for child in found)
    assert not (places.run / "worker.json").exists()


def test_what_a_killed_run_left_is_stopped_first(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or two workers would share the work behind a person's back."""
    python("import time; time.sleep(60)", monkeypatch)
    left = Children(places, {}).start("worker", ["worker"], port=0)
    with Children(places, {}) as children:
        children.start("worker", ["worker"], port=0)
        assert not is_alive(left)
