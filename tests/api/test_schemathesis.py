"""The API is what its document says: schemathesis invents requests from it, valid and invalid ones.

Each operation is asked as an administrator, who gets through to the handlers. A failure prints the
curl command that repeats it. Longer: `PACEBOARD_FUZZ=300 pytest tests/api/test_schemathesis.py`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from uuid import uuid4

import pytest
import schemathesis
from hypothesis import HealthCheck
from hypothesis import settings as bounds
from schemathesis.core import NOT_SET
from schemathesis.specs.openapi.checks import positive_data_acceptance

from api.app import create_app
from api.openapi import made
from ingest import files
from schemas.settings import Settings
from tests.api.support import bearer
from tests.books import Books, won
from tests.database import BEN, START
from tests.e2e.support import api, free_port

KEY = "Idempotency-Key"
EXAMPLES = int(os.environ.get("PACEBOARD_FUZZ", "12"))


@schemathesis.serializer(files.MEDIA_TYPES[files.XLSX])
def _workbook(ctx: object, value: object) -> bytes:
    """A body that is said to be a workbook, and is anything."""
    return value if isinstance(value, bytes) else str(value).encode()


schema = schemathesis.openapi.from_dict(made(create_app(Settings(values={}))))
# 428 is what a change without If-Match is told.
schema.config.checks.missing_required_header.expected_statuses = ["4xx"]


@pytest.fixture(scope="module")
def address(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that has some deals, with budgets that nobody exhausts."""
    plenty = settings.but(
        PACEBOARD_RATE_READS="100000/100000", PACEBOARD_RATE_WRITES="100000/100000"
    )
    books = Books(plenty)
    books.book(won("A1", "10.00", START), won("A2", "20.00", START, owner=BEN))
    books.close()
    log = tmp_path_factory.mktemp("schemathesis") / "api.log"
    with api(plenty, free_port(), log) as found:
        yield found


@schema.parametrize()
@bounds(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
def test_the_running_api_is_what_its_document_says(
    case: schemathesis.Case, address: str, settings: Settings
) -> None:
    """Statuses, headers, bodies, media types; refusals of what is wrong; no server error."""
    given = {name.lower() for name in (*case.headers, *case.query)}
    if KEY in case.headers:
        case.headers[KEY] = uuid4().hex  # used once
    # What the schema allows is taken, except where it cannot say all: a body has rules between
    # its fields, a cursor is one that a list gave, an ETag one that was read.
    says_all = case.body is NOT_SET and not given & {"cursor", "if-match"}
    excluded = [] if says_all else [positive_data_acceptance]
    case.call_and_validate(
        base_url=address, headers=bearer(settings, "ann"), excluded_checks=excluded
    )
