"""The web client: its packages by npm, its pages by its own build."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from deploy.local import say
from deploy.local.errors import Missing
from deploy.local.places import Places
from deploy.local.process import run_checked
from deploy.local.say import Progress
from deploy.local.stamps import Stamp
from deploy.local.versions import NODE_MAJOR_MIN

NOT_SOURCES = {"node_modules", "dist", ".svelte-kit", "coverage", "test-results"}


def build(places: Places, progress: Progress) -> None:
    web = places.repository / "web"
    if not (web / "package.json").exists():
        say.line("  skipped: the web client (there is no web/package.json)")
        return
    lock = web / "package-lock.json"
    packages = Stamp.of(places, "npm", web / "package.json", lock)
    pages = Stamp.of(places, "web", *fingerprint(web))
    is_installed = packages.is_fresh and (web / "node_modules").exists()
    if is_installed and pages.is_fresh and (web / "dist" / "index.html").exists():
        return
    check_node()
    if not is_installed:
        with progress.step("web packages"):
            npm(places, web, "ci", "--no-audit", "--no-fund")
        packages.press()
    with progress.step("web build"):
        npm(places, web, "run", "build")
    pages.press()


def npm(places: Places, web: Path, *arguments: str) -> None:
    log = places.logs / f"setup-web-{arguments[0]}.log"
    run_checked(["npm", *arguments], cwd=web, log=log)


def fingerprint(web: Path) -> list[Path | str]:
    """Every source file of the client, each after its name; what tools make is left out."""
    parts: list[Path | str] = []
    for folder, folders, files in os.walk(web):
        folders[:] = sorted(set(folders) - NOT_SOURCES)
        for path in (Path(folder, name) for name in sorted(files)):
            parts += [str(path.relative_to(web)), path]
    return parts


def check_node() -> None:
    """Debian's own Node is too old for the build tools, so no package is named as the remedy."""
    remedy = f"install Node.js {NODE_MAJOR_MIN} or newer with npm"
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise Missing(f"Node.js {NODE_MAJOR_MIN}, which builds the web client", remedy)
    version = run_checked(["node", "--version"]).strip()
    if int(version.lstrip("v").split(".")[0]) < NODE_MAJOR_MIN:
        raise Missing(f"Node.js {NODE_MAJOR_MIN} (this is {version})", remedy)
