"""Settings: where addresses come from, and what is said when one is missing."""

import pytest

from schemas.settings import DatabaseRole, SettingInvalid, SettingMissing, Settings

SERVER = {
    "PACEBOARD_DATABASE_URL": "postgresql://postgres:admin-secret@db:5433/other?sslmode=require",
    "PACEBOARD_WORKER_PASSWORD": "p@ss/word",
}


def test_a_roles_address_is_made_of_the_servers_and_its_password() -> None:
    """The database's name is the setting's, whatever the administrator's address names."""
    settings = Settings.from_environment(SERVER)
    assert (
        settings.database_url("worker")
        == "postgresql://paceboard_worker:p%40ss%2Fword@db:5433/paceboard?sslmode=require"
    )


def test_an_explicit_address_wins() -> None:
    """Compose and production give addresses by role and no administrator's."""
    url = "postgresql://me:x@elsewhere/db"
    settings = Settings.from_environment({**SERVER, "PACEBOARD_WORKER_DATABASE_URL": url})
    assert settings.database_url(DatabaseRole.WORKER) == url


def test_a_password_may_stand_in_the_explicit_address_only() -> None:
    """Then that is the one a migration gives the role."""
    settings = Settings(values={"PACEBOARD_API_DATABASE_URL": "postgresql://a:p%40ss@elsewhere/db"})
    assert settings.password(DatabaseRole.API) == "p@ss"


@pytest.mark.parametrize(
    ("environ", "role", "variable"),
    [
        ({}, "worker", "PACEBOARD_WORKER_DATABASE_URL"),
        ({"PACEBOARD_READER_DATABASE_URL": ""}, "reader", "PACEBOARD_READER_DATABASE_URL"),
        (SERVER, "api", "PACEBOARD_API_PASSWORD"),
    ],
)
def test_a_missing_variable_is_named(environ: dict[str, str], role: str, variable: str) -> None:
    """And what to set it to."""
    with pytest.raises(SettingMissing, match=f"^{variable} is not set: set it to "):
        Settings.from_environment(environ).database_url(role)


def test_kafka_and_the_session_key_are_asked_for_by_name() -> None:
    """Who does not need them need not set them."""
    settings = Settings.from_environment({"PACEBOARD_SESSION_KEY": "short"})
    with pytest.raises(SettingMissing, match="PACEBOARD_KAFKA is not set"):
        _ = settings.kafka
    with pytest.raises(SettingInvalid, match="PACEBOARD_SESSION_KEY cannot be used") as raised:
        _ = settings.session_key
    assert "short" not in str(raised.value)


def test_no_secret_is_shown() -> None:
    """Neither in the repr nor in an error about the value."""
    settings = Settings.from_environment({**SERVER, "PACEBOARD_API_DATABASE_URL": "mysql://a:b@c"})
    assert "secret" not in repr(settings) and "p@ss" not in repr(settings)
    with pytest.raises(SettingInvalid) as raised:
        settings.database_url("api")
    assert "a:b" not in str(raised.value)


def test_names_have_defaults() -> None:
    """An installation needs a name only where two share a server."""
    settings = Settings.from_environment({"HOME": "/root"})
    assert (settings.database, settings.topic_prefix) == ("paceboard", "paceboard")
    assert settings.but(PACEBOARD_TOPIC_PREFIX="two").topic_prefix == "two"
