"""Writes docs/openapi.json: `python -m api.generate`. A test holds it to the code."""

import json
from pathlib import Path
from typing import Final

from api.app import create_app
from api.openapi import made
from schemas.settings import Settings

TARGET: Final = Path(__file__).resolve().parent.parent / "docs" / "openapi.json"


def openapi_text() -> str:
    """The document's text; needs no services and no settings."""
    document = made(create_app(Settings(values={})))
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    TARGET.write_text(openapi_text())
