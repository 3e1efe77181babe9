"""Budgets of requests: token buckets in memory, one of each budget for each caller.

A caller is the user of a valid token, else the address that asks (of IPv6 its /64: one house).
A full bucket is no bucket, and at most RATE_CALLERS_MAX are remembered, so that strangers cost a
bounded amount. Each process counts for itself.
"""

import ipaddress
import math
from typing import Final, NamedTuple

from starlette.requests import HTTPConnection

from api import signin
from api.problems import NotSignedIn, TooManyRequests
from schemas import limits

SIGN_IN: Final = "/v1/session"
LIMITED: Final = ("/v1/", "/docs")
_HOST_BITS: Final = 64


class Budget(NamedTuple):
    """So many requests at once, and so many a second in the long run."""

    name: str
    per_second: float
    burst: int

    @property
    def window_seconds(self) -> int:
        """How long an empty bucket takes to be full."""
        return math.ceil(self.burst / self.per_second)


READS: Final = Budget("reads", limits.RATE_READS_PER_SECOND, limits.RATE_READS_BURST)
WRITES: Final = Budget("writes", limits.RATE_WRITES_PER_SECOND, limits.RATE_WRITES_BURST)
SIGN_INS: Final = Budget("sign-ins", limits.RATE_SIGN_INS_PER_SECOND, limits.RATE_SIGN_INS_BURST)
FRAMES: Final = Budget("frames", limits.RATE_FRAMES_PER_SECOND, limits.RATE_FRAMES_BURST)


class Budgets(NamedTuple):
    """The budgets of one application."""

    reads: Budget = READS
    writes: Budget = WRITES
    sign_ins: Budget = SIGN_INS
    frames: Budget = FRAMES


class Taken(NamedTuple):
    """What a caller has after he asked for some."""

    budget: Budget
    is_within: bool
    left: float
    cost: float

    @property
    def retry_seconds(self) -> int:
        """In how many seconds as much will be there as was asked for."""
        return max(1, math.ceil((self.cost - self.left) / self.budget.per_second))

    @property
    def headers(self) -> tuple[tuple[bytes, bytes], ...]:
        """For the answer: the budget, what is left of it, and when it is full again."""
        name = self.budget.name
        full_in = math.ceil((self.budget.burst - self.left) / self.budget.per_second)
        policy = f'"{name}";q={self.budget.burst};w={self.budget.window_seconds}'
        return (
            (b"ratelimit-policy", policy.encode()),
            (b"ratelimit", f'"{name}";r={math.floor(self.left)};t={full_in}'.encode()),
        )


class Bucket:
    """What is left of one budget to one caller."""

    __slots__ = ("_at", "_budget", "left")

    def __init__(self, budget: Budget, now: float) -> None:
        self._budget = budget
        self._at = now
        self.left = float(budget.burst)

    def take(self, now: float, cost: float = 1) -> Taken:
        """Take that much, if so much is there; a refusal takes nothing."""
        filled = self.left + max(0.0, now - self._at) * self._budget.per_second
        self.left, self._at = min(filled, float(self._budget.burst)), now
        is_within = self.left >= cost
        if is_within:
            self.left -= cost
        return Taken(self._budget, is_within, self.left, cost)


class Buckets:
    """One budget's buckets by caller; who has not asked for longest is forgotten first."""

    def __init__(self, budget: Budget, callers_max: int = limits.RATE_CALLERS_MAX) -> None:
        self._budget = budget
        self._callers_max = callers_max
        self._buckets: dict[str, Bucket] = {}

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, caller: str, now: float) -> Taken:
        """One request of that caller."""
        bucket = self._buckets.pop(caller, None) or Bucket(self._budget, now)
        self._buckets[caller] = bucket
        if len(self._buckets) > self._callers_max:
            del self._buckets[next(iter(self._buckets))]
        return bucket.take(now)


class Rates:
    """Who may ask again now, over HTTP."""

    def __init__(self, budgets: Budgets, session_key: str) -> None:
        self._reads = Buckets(budgets.reads)
        self._writes = Buckets(budgets.writes)
        self._sign_ins = Buckets(budgets.sign_ins)
        self._session_key = session_key

    def take(self, connection: HTTPConnection, now: float) -> Taken | None:
        """One request of this caller's budget; None where nothing is counted."""
        path, method = connection.url.path, connection.scope["method"]
        if not path.startswith(LIMITED):
            return None
        if path == SIGN_IN and method == "POST":
            return self._sign_ins.take(address_of(connection), now)
        buckets = self._reads if method in signin.SAFE_METHODS else self._writes
        return buckets.take(self._caller(connection), now)

    def _caller(self, connection: HTTPConnection) -> str:
        try:
            return f"user {signin.session_of(connection, self._session_key).user_id}"
        except NotSignedIn:
            return address_of(connection)


def require(taken: Taken) -> None:
    """Raises TooManyRequests."""
    if taken.is_within:
        return
    name, per_second, burst = taken.budget
    raise TooManyRequests(
        f"Your budget of {name} is used up: {burst} at once, then {per_second:g} a second.",
        retry_after_seconds=taken.retry_seconds,
    )


def address_of(connection: HTTPConnection) -> str:
    """The address that asks, or its /64."""
    host = connection.client.host if connection.client else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return f"address {host}"
    if address.version == 6:
        return f"address {ipaddress.ip_network((address, _HOST_BITS), strict=False)}"
    return f"address {address}"
