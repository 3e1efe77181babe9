"""The project's Python environment: exactly the lock file, plus the project itself."""

from __future__ import annotations

import platform
import shutil
import sys
import sysconfig
from pathlib import Path

from deploy.local.errors import Failed
from deploy.local.places import Places
from deploy.local.process import run_checked
from deploy.local.say import Progress
from deploy.local.stamps import Stamp

UV_LOCK = Path(__file__).with_name("uv.lock.txt")
CONSOLE_SCRIPT = """\
#!{python}
import sys

from cli.main import main

if __name__ == "__main__":  # a second process of the worker's reads this file again
    sys.exit(main())
"""


def environment(places: Places, progress: Progress) -> None:
    lock = places.repository / "requirements.lock"
    stamp = Stamp.of(places, "python", lock, sys.version, str(places.venv))
    if not (stamp.is_fresh and places.venv_python.exists()):
        with progress.step("Python packages"):
            install(places, lock)
        stamp.press()
    link_project(places)


def install(places: Places, lock: Path) -> None:
    """By uv (seconds), or where uv cannot be had by pip (a minute); both check every hash."""
    log = places.logs / "setup-python.log"
    uv = shutil.which("uv") or bootstrap_uv(places)
    python = str(places.venv_python)
    if uv:
        if not is_of_this_python(places.venv):
            make = [uv, "venv", "--quiet", "--clear", "--no-python-downloads"]
            run_checked([*make, "--python", sys.executable, str(places.venv)])
        sync = [uv, "pip", "sync", "--require-hashes", "--no-python-downloads", "--python", python]
        run_checked([*sync, str(lock)], log=log)
        return
    if not (is_of_this_python(places.venv) and (places.venv / "bin" / "pip").exists()):
        run_checked([sys.executable, "-m", "venv", "--clear", str(places.venv)])
    run_checked(
        [python, "-m", "pip", "install", "--quiet", "--require-hashes", "-r", str(lock)], log=log
    )


def is_of_this_python(venv: Path) -> bool:
    """An environment of another Python version is made anew; uv and venv name the line apart."""
    try:
        lines = (venv / "pyvenv.cfg").read_text().splitlines()
    except OSError:
        return False
    version = platform.python_version()
    return any(line in (f"version = {version}", f"version_info = {version}") for line in lines)


def bootstrap_uv(places: Places) -> str | None:
    """uv in an environment of its own, or None when it cannot be installed."""
    folder = places.made / "bootstrap"
    uv = folder / "bin" / "uv"
    if not uv.exists():
        try:
            run_checked([sys.executable, "-m", "venv", "--clear", str(folder)])
            pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet"]
            run_checked([*pip, "--require-hashes", "-r", str(UV_LOCK)])
        except Failed:
            return None
    return str(uv)


def link_project(places: Places) -> None:
    """A path file and the `paceboard` command: an editable install that needs no build."""
    variables = {"base": str(places.venv), "platbase": str(places.venv)}
    packages = Path(sysconfig.get_path("purelib", "venv", variables))
    write_if_changed(packages / "paceboard.pth", f"{places.repository}\n")
    script = places.venv / "bin" / "paceboard"
    write_if_changed(script, CONSOLE_SCRIPT.format(python=places.venv_python))
    script.chmod(0o755)


def write_if_changed(path: Path, text: str) -> None:
    if not path.exists() or path.read_text() != text:
        path.write_text(text)
