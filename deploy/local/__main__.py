"""The commands of the local stack; see `python3 -m deploy.local --help`."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

from deploy.local import say
from deploy.local.errors import LocalError
from deploy.local.places import Places
from deploy.local.run import run, say_chosen
from deploy.local.setup import setup
from deploy.local.stack import clean, down, exports, status, up

PYTHON_MIN = (3, 11)


def main(arguments: list[str]) -> int:
    if sys.version_info < PYTHON_MIN:
        say.line(f"missing: Python 3.11 or newer (this is {sys.version.split()[0]})")
        return 1
    chosen = parser().parse_args(arguments)
    places = Places.here(chosen.state)
    try:
        return dispatch(chosen, places)
    except LocalError as error:
        say.line(f"paceboard: {error}")
        return 1
    except KeyboardInterrupt:
        return 130


def dispatch(chosen: argparse.Namespace, places: Places) -> int:
    match chosen.command, getattr(chosen, "action", ""):
        case "setup", _:
            setup(places, is_for_tests=chosen.tests)
        case "run", _:
            return run(strip_dashes(chosen.argv), places)
        case _, "up":
            say_chosen(up(places))
        case _, "down":
            say.line(f"  stopped: {', '.join(down(places)) or 'nothing was running'}")
        case _, "clean":
            clean(places)
        case _, "env":
            for name, value in exports(places, up(places)).items():
                sys.stdout.write(f"export {name}={shlex.quote(value)}\n")
        case _:
            return report(places)
    return 0


def report(places: Places) -> int:
    """Say what runs; exit code 3 when something does not, as service tools do."""
    found = status(places)
    for name, service in found.items():
        where = (
            f"127.0.0.1:{service.port} pid {service.pid} {service.detail}" if service else "down"
        )
        say.line(f"  {name:10} {where}")
    return 0 if all(found.values()) else 3


def strip_dashes(argv: list[str]) -> list[str]:
    return argv[1:] if argv[:1] == ["--"] else argv


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python3 -m deploy.local", description="the local stack")
    top.add_argument("--state", type=Path, help="another folder for data, logs and passwords")
    commands = top.add_subparsers(dest="command", required=True)
    setting_up = commands.add_parser("setup", help="bring in what the product needs, once")
    setting_up.add_argument("--tests", action="store_true", help="the browser for tests, too")
    running = commands.add_parser("run", help="run a command beside the stack")
    running.add_argument("argv", nargs=argparse.REMAINDER, metavar="-- COMMAND")
    stack = commands.add_parser("stack", help="the services alone")
    stack.add_argument("action", choices=["up", "down", "status", "env", "clean"])
    return top


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
