"""Identifiers. All opaque text but `Batch`, `Token` and `Version`, which are int64."""

import hashlib
from typing import Final, NewType

DealId = NewType("DealId", str)  # "source:key" of the source that opened the deal
PayeeId = NewType("PayeeId", str)  # opaque: names live in `people` only
AccountId = NewType("AccountId", str)  # one payee's plan year: "<payee_id>.<plan_year>"
PlanId = NewType("PlanId", str)
PeriodId = NewType("PeriodId", str)  # also the interval: a period of the company's calendar
PlanYearId = NewType("PlanYearId", str)
ComponentId = NewType("ComponentId", str)
BoardId = NewType("BoardId", str)
CreditId = NewType("CreditId", str)
EntryId = NewType("EntryId", str)
AlertId = NewType("AlertId", str)
Batch = NewType("Batch", int)
Token = NewType("Token", int)
Version = NewType("Version", int)

_ID_HEX_DIGITS: Final = 32


def digest(*parts: str | int) -> str:
    """128 bits of SHA-256 over the parts, unambiguous about where each part ends."""
    hasher = hashlib.sha256()
    for part in parts:
        text = str(part).encode()
        hasher.update(b"%d:" % len(text))
        hasher.update(text)
    return hasher.hexdigest()[:_ID_HEX_DIGITS]


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_ID_HEX_DIGITS]


def account_id(payee_id: PayeeId, plan_year: PlanYearId) -> AccountId:
    """The account of a payee's plan year."""
    return AccountId(f"{payee_id}.{plan_year}")


def credit_id(
    deal_id: DealId, payee_id: PayeeId, role: str, credit_type: str, ordinal: int
) -> CreditId:
    """Derived from the facts, so that credit, reversal and credit again differ (by ordinal)."""
    return CreditId(  # one text, a third of the time of `digest`; the lengths keep it unambiguous
        _hashed(
            f"credit:{len(deal_id)}:{deal_id}{len(payee_id)}:{payee_id}"
            f"{len(role)}:{role}{len(credit_type)}:{credit_type}{ordinal}"
        )
    )


def entry_id(
    account: AccountId, version: int, component: ComponentId, segment: str, origin_period: PeriodId
) -> EntryId:
    """One entry per account version, component, assignment segment and origin period."""
    return EntryId(
        _hashed(
            f"entry:{len(account)}:{account}{version}:{len(component)}:{component}"
            f"{len(segment)}:{segment}{origin_period}"
        )
    )


def tracking_id(source: str, key: str, revision: int, content_digest: str) -> str:
    """What a sender can ask by: the same for a retry, another for other content."""
    return digest("track", source, key, revision, content_digest)
