"""Set-up: what it needs before anything is installed, secrets, and the memory of what is done."""

from __future__ import annotations

import ast
import runpy
import stat
import sys
import tomllib
from itertools import chain
from pathlib import Path
from xml.etree import ElementTree

import pytest

from deploy.local import versions
from deploy.local.credentials import PRODUCT_SECRETS, product_secrets, superuser_password
from deploy.local.places import REPOSITORY, Places
from deploy.local.python import CONSOLE_SCRIPT
from deploy.local.stamps import Stamp

LOCAL = REPOSITORY / "deploy" / "local"


def imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Import(names=names):
                found |= {name.name.partition(".")[0] for name in names}
            case ast.ImportFrom(module=str(module)):
                found.add(module.partition(".")[0])
    return found


@pytest.mark.parametrize("path", sorted(LOCAL.glob("*.py")), ids=lambda path: path.name)
def test_it_runs_before_anything_is_installed(path: Path) -> None:
    assert imported(path) <= sys.stdlib_module_names | {"deploy"}


def test_reading_the_command_again_runs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker's second process does that, under another name, before it begins."""
    monkeypatch.setattr("cli.main.main", lambda: pytest.fail("the command ran"))
    script = tmp_path / "paceboard"
    script.write_text(CONSOLE_SCRIPT.format(python=sys.executable))
    runpy.run_path(str(script), run_name="__mp_main__")


def test_secrets_are_made_once_for_their_owner_only(tmp_path: Path) -> None:
    places = Places.here(tmp_path)
    first = product_secrets(places)
    assert product_secrets(places) == first
    assert set(PRODUCT_SECRETS) == set(first)
    assert len(set(first.values())) == len(first)
    assert superuser_password(places, "timescale") != superuser_password(places, "postgres")
    modes = {stat.S_IMODE(path.stat().st_mode) for path in places.secrets.iterdir()}
    assert (modes, stat.S_IMODE(places.secrets.stat().st_mode)) == ({0o600}, 0o700)


def test_a_secret_of_a_later_version_joins_those_that_are_there(tmp_path: Path) -> None:
    places = Places.here(tmp_path)
    places.secrets.mkdir()
    (places.secrets / "paceboard.env").write_text("PACEBOARD_SESSION_KEY=kept\n")
    assert product_secrets(places)["PACEBOARD_SESSION_KEY"] == "kept"
    assert set(product_secrets(places)) == set(PRODUCT_SECRETS)


def test_a_step_is_done_again_when_an_input_changes(tmp_path: Path) -> None:
    places = Places.here(tmp_path)
    places = Places(repository=places.repository, made=tmp_path, state=tmp_path)
    source = tmp_path / "source"
    source.write_text("one")
    Stamp.of(places, "step", source, "word").press()
    assert Stamp.of(places, "step", source, "word").is_fresh
    assert not Stamp.of(places, "step", source, "other word").is_fresh
    source.write_text("two")
    assert not Stamp.of(places, "step", source, "word").is_fresh


def test_inputs_do_not_run_into_each_other(tmp_path: Path) -> None:
    places = Places.here(tmp_path)
    assert Stamp.of(places, "s", "ab", "c").digest != Stamp.of(places, "s", "a", "bc").digest


def test_the_pom_fetches_the_kafka_we_name() -> None:
    pom = ElementTree.parse(LOCAL / "kafka" / "pom.xml")
    found = {
        item.findtext("artifactId"): item.findtext("version") for item in pom.iter("dependency")
    }
    assert found[f"kafka_{versions.KAFKA_SCALA}"] == versions.KAFKA


def test_lock_files_name_no_registry() -> None:
    for lock in REPOSITORY.rglob("requirements.lock"):
        if ".paceboard" not in lock.parts:
            assert "://" not in lock.read_text(), lock


def test_every_direct_dependency_is_locked() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    locked = (REPOSITORY / "requirements.lock").read_text().lower()
    for requirement in wanted:
        name = requirement.lower()
        for sign in "[<>=":
            name = name.partition(sign)[0]
        assert f"\n{name}==" in locked or f"\n{name}[" in locked, name
