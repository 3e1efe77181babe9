"""An installation on this machine, while a block runs: stack, database, topics, worker, API."""

import fcntl
import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import Final, NamedTuple

from cli import topic_admin, where
from cli.children import Children
from cli.console import step
from cli.database import connected
from cli.failures import Failure
from cli.setting_up import is_set_up
from deploy.local.places import Places
from deploy.local.process import free_port
from deploy.local.stack import Stack, exports, running
from schemas.settings import Settings

PORT_VARIABLE: Final = "PACEBOARD_PORT"
PORT_PREFERRED: Final = 8000
HOST: Final = "127.0.0.1"
REPLICATION: Final = 1  # one broker
SET_UP_POLL_SECONDS: Final = 0.5
LOCK: Final = "installation.lock"
STOPPING: Final = (signal.SIGTERM, signal.SIGHUP)


class Installation(NamedTuple):
    """What runs, and where."""

    settings: Settings
    places: Places
    address: str
    children: Children


@contextmanager
def services(places: Places) -> Iterator[Stack]:
    """Kafka and the database, for one installation; stopped at the end if started for us."""
    with ExitStack() as exits:
        exits.enter_context(alone(places))
        with step("Kafka and the database") as progress:
            stack = exits.enter_context(running(places))
            progress.result = f"[dim]{stack.why}[/]"
        yield stack


@contextmanager
def alone(places: Places) -> Iterator[None]:
    """The only installation of this folder: a second would end the first one's processes.

    The kernel frees the lock when its holder dies, however it dies.
    """
    places.run.mkdir(parents=True, exist_ok=True)
    with (places.run / LOCK).open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            raise Failure(
                f"an installation runs here already (process {lock.read().strip() or 'unknown'})",
                "stop it with Ctrl-C where it was started; what runs: paceboard status",
            ) from error
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


def prepare(settings: Settings) -> None:
    """The database migrated, the topics there."""
    from db.migrate import migrate

    with step("database migrated"):
        migrate(settings)
    with step("topics") as progress:
        made = topic_admin.create(settings, replication=REPLICATION)
        progress.result = f"{len(made)} created" if made else "all there"


@contextmanager
def processes(
    settings: Settings, places: Places, stack: Stack, names: Mapping[str, str]
) -> Iterator[Installation]:
    """The API, found by other commands while it runs; `start_worker` follows."""
    port = _port()
    environ = {**exports(places, stack), **settings.values, **names}
    with where.noted(places, names), Children(places, environ) as children:
        with step("API") as progress:
            api = children.start("api", ["api", "--host", HOST, "--port", str(port)], port=port)
            children.await_port(api)
            progress.result = f"[dim]logs in {places.logs}[/]"
        yield Installation(settings, places, f"http://{HOST}:{port}", children)


def start_worker(installation: Installation) -> None:
    """A worker, as soon as somebody has said which company this is: it refuses to run before."""
    with (
        connected(installation.settings, "up") as conn,
        step("worker started") as progress,
    ):
        while not is_set_up(conn):
            progress.say("waits for paceboard setup, or paceboard load --sample")
            installation.children.check()
            time.sleep(SET_UP_POLL_SECONDS)
        installation.children.start("worker", ["worker"], port=0)


@contextmanager
def stopping_on_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP end us as Ctrl-C does, so that everything is stopped in order."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in STOPPING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _port() -> int:
    given = os.environ.get(PORT_VARIABLE)
    if not given:
        return free_port(PORT_PREFERRED)
    if not given.isdigit() or free_port(int(given)) != int(given):
        raise Failure(
            f"port {given} of {PORT_VARIABLE} is taken",
            "free it, or unset the variable for another",
        )
    return int(given)
