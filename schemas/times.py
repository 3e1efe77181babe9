"""Instants as they stand in messages and answers."""

import datetime as dt
from typing import Annotated

from msgspec import Meta

# RFC 3339. That it has an offset is checked by the contract (domain/contract.py), which says so.
Instant = Annotated[dt.datetime, Meta(extra_json_schema={"format": "date-time"})]
