"""Writes docs/openapi.json and docs/errors.md: `python -m api.generate`. Tests hold them to it."""

import json
from pathlib import Path
from typing import Final

from api.app import create_app
from api.catalogue import catalogue
from api.openapi import made
from schemas.settings import Settings

DOCS: Final = Path(__file__).resolve().parent.parent / "docs"
TARGET: Final = DOCS / "openapi.json"
ERRORS: Final = DOCS / "errors.md"


def openapi_text() -> str:
    """The document's text; needs no services and no settings."""
    document = made(create_app(Settings(values={})))
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    TARGET.write_text(openapi_text())
    ERRORS.write_text(catalogue())
