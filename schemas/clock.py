"""The business clock's history, as rows: the last one is in force."""

import datetime as dt
from decimal import Decimal
from typing import NamedTuple


class ClockRow(NamedTuple):
    """From the instant `real` on, business time is `business` + (now - real) x `rate`."""

    real: dt.datetime
    business: dt.datetime
    rate: Decimal  # business seconds per real second; 0 is paused, 1 runs with the world
