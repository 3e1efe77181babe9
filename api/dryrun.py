"""A file's dry run: which rows are deals, what each would be, and what they would do to the money.

`check` reads the file and puts the good rows aside; `try_out` asks one snapshot of the database
what would follow if they came now. Both by the very functions that judge deals when they do come.
Nothing is written. Used by `POST /v1/imports/deals` and by `paceboard load deals`.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Final, NamedTuple

import msgspec

from db import batch_reads
from db.connect import Connection
from domain import contract, trial
from domain.exact import exact_arithmetic
from domain.reference import Reference
from domain.trial import NOTHING, Money, Tried, Verdict, Where
from ingest import files
from ingest.file_deals import deals
from ingest.files import File
from ingest.mapping import Mapping
from ingest.spool import Kept, Spool
from ingest.tables import RowError
from schemas import limits
from schemas.ids import AccountId, DealId
from schemas.messages import DealChanged, PeriodState, RefusalCode, Role
from schemas.money import ZERO
from schemas.refusals import REMEDIES
from schemas.state import AccountState, DealState

Say = Callable[[int], None]  # how many rows are done
SAY_EVERY: Final = 1_000
_DIRECT: Final = (Role.OWNER, Role.SPLIT)


class Checked(NamedTuple):
    """What a file holds: good rows are in the spool, refused ones by their number."""

    rows: int
    refused: dict[int, RowError]


class Change(NamedTuple):
    """What would change for one payee, period and booking period."""

    where: Where
    state: PeriodState  # of the origin
    money: Money


class Effect(NamedTuple):
    """What the good rows would do."""

    new: int
    changed: int
    unchanged: int  # superseded ones included
    superseded: int
    refused: dict[int, RowError]  # by what is known of their deals
    changes: tuple[Change, ...]  # most money first
    credited: dict[str, Decimal]  # by currency, each deal once
    held: int  # shares that would wait
    not_eligible: int
    reference_version: int

    @property
    def earned(self) -> dict[str, Decimal]:
        """All changes of earned money, by currency."""
        return _by_currency(self.changes)

    @property
    def corrections(self) -> dict[str, Decimal]:
        """Those of locked periods."""
        return _by_currency(one for one in self.changes if one.state is PeriodState.LOCKED)


def check(
    file: File, mapping: Mapping, spool: Spool, *, sheet: str | None = None, say: Say
) -> Checked:
    """Read the file to its end. Raises FileRefused."""
    encoder = msgspec.json.Encoder()
    refused: dict[int, RowError] = {}
    count = 0
    with files.read(file, mapping, sheet=sheet) as table:
        for count, (row, outcome) in enumerate(
            deals(table, mapping, check=contract.check), start=1
        ):
            found = outcome
            if isinstance(found, DealChanged):
                value = encoder.encode(found)
                if len(value) <= limits.RECORD_BYTES_MAX:
                    spool.add(row.number, found, value)
                else:
                    found = _refused(row.number, "", RefusalCode.TOO_LARGE, f"{len(value)} bytes")
            if isinstance(found, RowError):
                refused[row.number] = found
            if count % SAY_EVERY == 0:
                say(count)
    say(count)
    return Checked(count, refused)


def try_out(
    conn: Connection, reference: Reference, mapping: Mapping, spool: Spool, *, say: Say
) -> Effect:
    """What would follow. `conn` is in a transaction of one snapshot, `reference` is of it."""
    running = _Trying(conn, reference, mapping)
    done = 0
    with exact_arithmetic():
        for page in spool.pages(limits.TRIAL_PAGE_ROWS):
            running.add(page)
            done += len(page)
            say(done)
        return running.effect()


class _Trying:
    """A dry run under way: the accounts as the pages before would leave them, and the sums."""

    def __init__(self, conn: Connection, reference: Reference, mapping: Mapping) -> None:
        self._conn = conn
        self._reference = reference
        self._revision_column = mapping.columns.get("revision", "revision")
        self._accounts: dict[AccountId, AccountState] = {}
        self._verdicts: Counter[Verdict] = Counter()
        self._refused: dict[int, RowError] = {}
        self._changes: dict[Where, Money] = {}
        self._credited: dict[str, Decimal] = {}
        self._held = 0
        self._not_eligible = 0

    def add(self, page: list[Kept]) -> None:
        """Try the deals of a page, which has all rows of each."""
        by_deal: dict[DealId, list[Kept]] = {}
        for kept in page:
            by_deal.setdefault(DealId(kept.deal.deal_id), []).append(kept)
        states = batch_reads.read_deals(self._conn, list(by_deal))
        tried = []
        for deal_id, rows in by_deal.items():
            before = states.get(deal_id) or DealState(deal_id=deal_id)
            found = trial.try_deal(before, (kept.deal for kept in rows), self._reference)
            self._note(rows, found)
            tried.append(found)
        self._evaluate(tried)

    def effect(self) -> Effect:
        """The whole."""
        count = self._verdicts
        return Effect(
            new=count[Verdict.NEW],
            changed=count[Verdict.CHANGED],
            unchanged=count[Verdict.UNCHANGED] + count[Verdict.SUPERSEDED],
            superseded=count[Verdict.SUPERSEDED],
            refused=self._refused,
            changes=tuple(sorted(self._named(), key=_most_money_first)),
            credited={name: amount for name, amount in sorted(self._credited.items()) if amount},
            held=self._held,
            not_eligible=self._not_eligible,
            reference_version=self._reference.version,
        )

    def _note(self, rows: list[Kept], found: Tried) -> None:
        self._verdicts.update(found.verdicts)
        for kept, verdict in zip(rows, found.verdicts, strict=True):
            if verdict in _REFUSALS:
                code, problem = _REFUSALS[verdict]
                said = problem.format(revision=kept.deal.revision)
                self._refused[kept.row] = _refused(kept.row, self._revision_column, code, said)
        if found.is_moved:
            self._held += len(found.state.held)
            self._not_eligible += found.state.not_eligible is not None

    def _evaluate(self, tried: list[Tried]) -> None:
        booked = [credit for found in tried for credit in found.booked]
        for credit in booked:
            if credit.role in _DIRECT:
                known = self._credited.get(credit.currency, ZERO)
                self._credited[credit.currency] = known + credit.amount
        touched = trial.by_account(booked)
        unread = [account for account in touched if account not in self._accounts]
        self._accounts.update(batch_reads.read_accounts(self._conn, unread))
        found = trial.evaluate(self._accounts, touched, self._reference)
        self._accounts.update(found.accounts)
        for where, money in found.changes.items():
            self._changes[where] = self._changes.get(where, NOTHING).plus(*money)

    def _named(self) -> Iterable[Change]:
        for where, money in self._changes.items():
            period = self._reference.period(where.origin)
            if period is not None and (money.credited or money.earned):
                yield Change(where, period.state, money)


_REFUSALS: Final = {
    Verdict.CONFLICT: (
        RefusalCode.EQUAL_REVISION_CONFLICT,
        "revision {revision} of this deal is known with another content",
    ),
    Verdict.TOO_MANY: (
        RefusalCode.TOO_MANY_REVISIONS,
        f"the deal has {limits.DEAL_REVISIONS_MAX} revisions already",
    ),
}


def _refused(row: int, column: str, code: RefusalCode, problem: str) -> RowError:
    return RowError(row, column, code.value, problem, REMEDIES[code])


def _by_currency(changes: Iterable[Change]) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    with exact_arithmetic():
        for one in changes:
            currency = one.where.currency
            found[currency] = found.get(currency, ZERO) + one.money.earned
    return {name: amount for name, amount in sorted(found.items()) if amount}


def _most_money_first(change: Change) -> tuple[Decimal, Decimal, str, str]:
    money, where = change.money, change.where
    return -abs(money.earned), -abs(money.credited), where.payee_id, where.origin
