"""What an installation is told by its environment: addresses, names and secrets.

Every variable begins with PACEBOARD_. A secret is handed out when asked for and never shown: the
repr names what is not secret, and an error names the variable, never its value.
"""

import enum
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Self
from urllib.parse import quote, unquote, urlsplit

from schemas.topics import DEFAULT_PREFIX

PREFIX: Final = "PACEBOARD_"
KAFKA: Final = "PACEBOARD_KAFKA"
DATABASE_URL: Final = "PACEBOARD_DATABASE_URL"
DATABASE: Final = "PACEBOARD_DATABASE"
TOPIC_PREFIX: Final = "PACEBOARD_TOPIC_PREFIX"
SESSION_KEY: Final = "PACEBOARD_SESSION_KEY"
DEFAULT_DATABASE: Final = "paceboard"
SESSION_KEY_LENGTH_MIN: Final = 32


class DatabaseRole(enum.StrEnum):
    """Who asks the database: each process logs in as one of these and has just its rights."""

    OWNER = "owner"  # owns the tables; logs in to migrate only
    WORKER = "worker"  # the processors: money and state
    API = "api"  # reference data, its audit, notes
    READER = "reader"  # reads, and no names

    @property
    def login(self) -> str:
        """The role's name on the server."""
        return f"paceboard_{self.value}"

    @property
    def password_variable(self) -> str:
        """The variable with the role's password."""
        return f"{PREFIX}{self.name}_PASSWORD"

    @property
    def url_variable(self) -> str:
        """The variable with the role's whole address, which wins over the parts."""
        return f"{PREFIX}{self.name}_DATABASE_URL"


class SettingMissing(Exception):
    """A variable that is needed here is not set."""

    def __init__(self, variable: str, remedy: str) -> None:
        super().__init__(f"{variable} is not set: {remedy}")
        self.variable = variable


class SettingInvalid(Exception):
    """A variable is set to something that cannot be used; its value is not repeated here."""

    def __init__(self, variable: str, problem: str) -> None:
        super().__init__(f"{variable} cannot be used: {problem}")
        self.variable = variable


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of one installation."""

    values: Mapping[str, str] = field(repr=False)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Self:
        """The PACEBOARD_ variables of the environment; an empty one counts as not set."""
        environ = os.environ if environ is None else environ
        return cls(values={n: v for n, v in environ.items() if n.startswith(PREFIX) and v})

    def but(self, **values: str) -> Self:
        """The same settings with some variables set otherwise."""
        return type(self)(values={**self.values, **values})

    def __repr__(self) -> str:
        kafka = self.values.get(KAFKA)
        return f"Settings({kafka=}, database={self.database!r}, topics={self.topic_prefix!r})"

    @property
    def kafka(self) -> str:
        """Kafka's bootstrap address."""
        return self._needed(KAFKA, "set it to Kafka's address, e.g. 127.0.0.1:9092")

    @property
    def topic_prefix(self) -> str:
        """What the topics' names and the consumer groups begin with, without the dot."""
        return self.values.get(TOPIC_PREFIX, DEFAULT_PREFIX)

    @property
    def session_key(self) -> str:
        """The secret that signs sessions."""
        key = self._needed(
            SESSION_KEY, f"set it to {SESSION_KEY_LENGTH_MIN} or more random characters"
        )
        if len(key) < SESSION_KEY_LENGTH_MIN:
            raise SettingInvalid(SESSION_KEY, f"it has under {SESSION_KEY_LENGTH_MIN} characters")
        return key

    @property
    def database(self) -> str:
        """The database's name."""
        return self.values.get(DATABASE, DEFAULT_DATABASE)

    @property
    def has_admin(self) -> bool:
        """Whether an administrator's address is there, by which a server is prepared."""
        return DATABASE_URL in self.values

    def admin_url(self, database: str) -> str:
        """The administrator's address of a database of the server."""
        url = self._url(
            DATABASE_URL,
            "set it to an administrator's address of the server, e.g. "
            "postgresql://postgres:...@127.0.0.1:5432/postgres",
        )
        return urlsplit(url)._replace(path=f"/{quote(database, safe='')}").geturl()

    def password(self, role: DatabaseRole) -> str:
        """A role's password: its variable, else the one in its explicit address."""
        in_address = urlsplit(self.values.get(role.url_variable, "")).password
        if role.password_variable not in self.values and in_address:
            return unquote(in_address)
        return self._needed(
            role.password_variable, f"set it to the password of the database role {role.login}"
        )

    def database_url(self, role: DatabaseRole | str) -> str:
        """A role's address: the explicit one, else made of the server's, the name and a password.

        Raises SettingMissing when neither is there.
        """
        role = DatabaseRole(role)
        if role.url_variable in self.values:
            return self._url(role.url_variable, "")
        if not self.has_admin:
            raise SettingMissing(
                role.url_variable,
                f"set it to the database's address as the role {role.login}, e.g. "
                f"postgresql://{role.login}:...@127.0.0.1:5432/{self.database}",
            )
        parts = urlsplit(self.admin_url(self.database))
        address = parts.netloc.rpartition("@")[2]
        login = f"{role.login}:{quote(self.password(role), safe='')}"
        return parts._replace(netloc=f"{login}@{address}").geturl()

    def _needed(self, variable: str, remedy: str) -> str:
        value = self.values.get(variable)
        if value is None:
            raise SettingMissing(variable, remedy)
        return value

    def _url(self, variable: str, remedy: str) -> str:
        url = self._needed(variable, remedy)
        if urlsplit(url).scheme not in ("postgresql", "postgres"):
            raise SettingInvalid(variable, "it must begin with postgresql://")
        return url
