"""Real services for tests: databases made and dropped on a real server, names for real topics."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg
from psycopg import sql


def unique_name(stem: str) -> str:
    """A name that no other test, and no run before, has used; good for databases and topics."""
    return f"{stem}_{secrets.token_hex(6)}"


@contextmanager
def new_database(server_url: str, stem: str = "test") -> Iterator[str]:
    """An empty database on that server; its superuser URL; dropped at the end, whoever is in it."""
    name = unique_name(stem)
    with psycopg.connect(server_url, autocommit=True) as admin:
        # A template without TimescaleDB's own objects: the product's migration makes them.
        admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
        try:
            yield with_database(server_url, name)
        finally:
            drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
            admin.execute(drop.format(sql.Identifier(name)))


def with_database(url: str, name: str) -> str:
    """The same server, another database."""
    return urlsplit(url)._replace(path=f"/{name}").geturl()


def with_login(url: str, user: str, password: str) -> str:
    """The same server and database, another role."""
    parts = urlsplit(url)
    address = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{user}:{password}@{address}").geturl()


def has_timescale(url: str) -> bool:
    """Whether the server could give this database hypertables."""
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "SELECT 1 FROM pg_available_extensions WHERE name = 'timescaledb'"
        ).fetchone()
    return found is not None
