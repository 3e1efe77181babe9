"""A file of deals on the command line: read to its end, tried out, then sent.

The good rows lie in a spool on disk (ingest/spool.py), so that a file of FILE_ROWS_MAX rows need
not fit into memory.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import psycopg

from api import dryrun
from api.dryrun import Checked, Effect
from api.world import World, Worlds
from cli.failures import Failure
from db import mappings
from db.connect import pool
from db.installation import NotInstalled
from ingest import files, guessing
from ingest.files import File
from ingest.mapping import Mapping, MappingRefused, check, read_mapping
from ingest.spool import Spool
from ingest.tables import RowError
from schemas.messages import DealChanged
from schemas.settings import DatabaseRole, SettingMissing, Settings


class Tried(NamedTuple):
    """What a file would do, and by whose names."""

    effect: Effect
    world: World


def mapping_of(settings: Callable[[], Settings], given: str | None, file: File) -> Mapping:
    """A JSON file's, a saved mapping's by its id, or, where none is given, the best guess.

    Raises Failure when there is none, or the guess is not sure.
    """
    if given is None:
        return _guessed(file)
    path = Path(given)
    if path.suffix == ".json" or path.exists():
        return read_mapping(path.read_bytes())
    with (
        pool(settings(), DatabaseRole.API, application_name="paceboard load") as found,
        found.connection() as connection,
    ):
        saved = mappings.mapping(connection, given)
        known = ", ".join(one.mapping_id for one in mappings.mappings(connection)) or "none"
    if saved is None:
        raise Failure(f"there is no file and no saved mapping {given}", f"saved are: {known}")
    return read_mapping(saved.document.encode())


def _guessed(file: File) -> Mapping:
    found = guessing.guess(guessing.look(file), source=guessing.source_of(file.name))
    document = msgspec.json.format(msgspec.json.encode(found.document)).decode()
    if found.doubts:
        raise Failure(
            "which column fills which field is not sure: " + "; ".join(found.doubts),
            f"mend this, save it as mapping.json, and say --mapping mapping.json:\n{document}",
        )
    mapping = msgspec.convert(found.document, Mapping)
    try:
        check(mapping)
    except MappingRefused as error:
        raise Failure(str(error), f"begin with this as mapping.json:\n{document}") from error
    return mapping


def inspect(file: File, mapping: Mapping, spool: Spool, *, say: Callable[[str], None]) -> Checked:
    """Read all rows; good ones are in the spool. Raises FileRefused."""
    return dryrun.check(file, mapping, spool, say=lambda done: say(f"{done:,} rows"))


def try_out(
    settings: Settings, mapping: Mapping, spool: Spool, *, say: Callable[[str], None]
) -> Tried | str:
    """What the good rows would do now; in words why that cannot be said."""
    try:
        with (
            pool(settings, DatabaseRole.API, application_name="paceboard load") as found,
            Worlds(found).snapshot() as (connection, world),
        ):
            effect = dryrun.try_out(
                connection,
                world.reference,
                mapping,
                spool,
                say=lambda done: say(f"{done:,} rows"),
            )
            return Tried(effect, world)
    except (psycopg.Error, NotInstalled, SettingMissing) as error:
        return " ".join(str(error).split())


def good_deals(spool: Spool, refused: dict[int, RowError]) -> Iterator[DealChanged]:
    """The deals that are sent, in the file's order."""
    return (kept.deal for kept in spool.deals() if kept.row not in refused)


def write_refused(path: Path, file: File, mapping: Mapping, refused: dict[int, RowError]) -> None:
    """The refused rows, in the file's own form, so that a spreadsheet opens both alike."""
    with path.open("wb") as target:
        files.write_errors(target, file, mapping, refused)
