"""What a person is told when a command cannot do its work: one line, what and what to do."""

from typing import Final


class Failure(Exception):
    """A command cannot go on. `remedy` is what to do, as an order."""

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__(f"{what}; {remedy}" if remedy else what)


# By qualified name, so that explaining an error imports nothing. What is not here is unexpected.
_OWN_WORDS: Final = frozenset(
    (
        *("cli.failures.Failure", "deploy.local.errors.LocalError"),
        *("schemas.settings.SettingMissing", "schemas.settings.SettingInvalid"),
        *("db.installation.NotInstalled", "db.installation.InstalledOtherwise"),
        *("ingest.tables.FileRefused", "ingest.mapping.MappingRefused"),
        *("ingest.publish.PublishFailed", "streams.outbound.PublishFailed"),
    )
)
# What a server says that runs, but was never prepared.
_UNPREPARED: Final = ("does not exist", "password authentication failed")
_PREPARE: Final = "the database is not prepared for these settings; run: paceboard migrate"
_REMEDIES: Final = {
    "psycopg.OperationalError": "is the database running? start it here with: make up",
    "psycopg.errors.OperationalError": "is the database running? start it here with: make up",
    "psycopg_pool.PoolTimeout": "is the database running? start it here with: make up",
    "kafka.errors.KafkaError": "is Kafka running? start it here with: make up",
    "builtins.OSError": "",
}


def sentence(error: BaseException) -> str:
    """One line that says what went wrong and what to do."""
    names = [f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__]
    text = " ".join(str(error).split()) or type(error).__name__
    if _OWN_WORDS.intersection(names):
        return str(error).rstrip()
    if "psycopg.Error" in names and any(words in text for words in _UNPREPARED):
        return f"{text}; {_PREPARE}"
    for name in names:
        if name in _REMEDIES:
            return f"{text}; {_REMEDIES[name]}".removesuffix("; ")
    return f"unexpected {type(error).__name__}: {text}; for the whole of it run: paceboard --debug"
