"""Plants each bug in a copy of the product, runs the tests that ought to notice, says which did.

`python -m tests.planted.plant [words of a bug's name]`; ends with 1 when one was not noticed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.progress import track

from tests.planted.bugs import BUGS, PROTOCOL, SIMULATION, Bug

HERE = Path(__file__).resolve().parents[2]
COPIED = ("api", "cli", "db", "deploy", "domain", "ingest", "schemas", "streams", "tests")
OPTIONS = ("-q", "-x", "-rfE", "-s", "-p", "no:cacheprovider")
# The first run that fails, not the smallest; and room for what it says.
AS_FOUND = {"SIMULATION_AS_FOUND": "1", "COLUMNS": "200"}
EXAMPLES = "600"
SECONDS_MAX = 600
FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+)(?: - (.*))?$", re.MULTILINE)
PLAYED = re.compile(r"failed first: (\d+)")
console = Console()


def main() -> int:
    """How many bugs nobody noticed, as 0 or 1."""
    words = sys.argv[1:]
    bugs = [bug for bug in BUGS if all(word in bug.name for word in words)]
    sound = _noticed(None, (PROTOCOL, SIMULATION))
    if sound is not None:
        console.print(f"The product itself fails: {sound}", style="red")
        return 1
    missed = 0
    for bug in track(bugs, "planting", console=console):
        found = _noticed(bug, bug.tests)
        missed += found is None
        console.print(f"{'MISSED' if found is None else 'caught'}  {bug.name}", markup=False)
        console.print(f"        {found or 'by nobody'}", style="dim", markup=False)
    console.print(f"{len(bugs) - missed} of {len(bugs)} planted bugs were caught")
    return int(missed > 0)


def _noticed(bug: Bug | None, tests: tuple[str, ...]) -> str | None:
    """Which test failed first, and with what; None when all passed."""
    with tempfile.TemporaryDirectory(prefix="planted-") as folder:
        copy = Path(folder)
        for name in COPIED:
            leave = shutil.ignore_patterns("__pycache__", "node_modules")
            shutil.copytree(HERE / name, copy / name, ignore=leave)
        shutil.copy(HERE / "pyproject.toml", copy)
        if bug is not None:
            _plant(bug, copy / bug.file)
        examples = EXAMPLES if bug else "50"
        ran = subprocess.run(
            [sys.executable, "-m", "pytest", *OPTIONS, *tests],
            cwd=copy,
            env={**os.environ, "SIMULATION_EXAMPLES": examples, **AS_FOUND, "PYTHONPATH": folder},
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
            check=False,
        )
    if ran.returncode == 0:
        return None
    failed = FAILED.search(ran.stdout)
    if failed is None:
        raise SystemExit(f"{bug and bug.name}: no test ran:\n{ran.stdout[-2000:]}{ran.stderr}")
    played = PLAYED.search(ran.stdout)
    after = f" (run {played[1]})" if played else ""
    return f"{failed[1].split('::')[-1]}{after}: {failed[2] or ''}"[:160]


def _plant(bug: Bug, path: Path) -> None:
    text = path.read_text()
    if text.count(bug.was) != 1:
        raise SystemExit(
            f"'{bug.name}' fits {bug.file} {text.count(bug.was)} times: the code has changed; "
            "say in tests/planted/bugs.py what the bug would look like now."
        )
    path.write_text(text.replace(bug.was, bug.now))


if __name__ == "__main__":
    sys.exit(main())
