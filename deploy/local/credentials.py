"""Passwords and keys, made once per state folder, readable by their owner only."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from deploy.local.places import Places

PRODUCT_SECRETS = (
    "PACEBOARD_SESSION_KEY",
    "PACEBOARD_OWNER_PASSWORD",
    "PACEBOARD_API_PASSWORD",
    "PACEBOARD_WORKER_PASSWORD",
    "PACEBOARD_READER_PASSWORD",
)


def superuser_password(places: Places, kind: str) -> str:
    """The password of the database's superuser, made on first use."""
    path = places.secrets / f"{kind}-superuser"
    if not path.exists():
        write_private(path, secrets.token_urlsafe(24) + "\n")
    return path.read_text().strip()


def product_secrets(places: Places) -> dict[str, str]:
    """The product's own secrets; one added in a later version is added to the file."""
    path = places.secrets / "paceboard.env"
    lines = path.read_text().splitlines() if path.exists() else []
    found = {name: value for name, _, value in (line.partition("=") for line in lines)}
    missing = [name for name in PRODUCT_SECRETS if name not in found]
    if missing:
        found |= {name: secrets.token_urlsafe(32) for name in missing}
        write_private(path, "".join(f"{name}={value}\n" for name, value in found.items()))
    return found


def write_private(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    half = path.with_name(f".{path.name}.new")
    half.unlink(missing_ok=True)
    with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    half.replace(path)
