"""The relay: from the reference outbox to Kafka, and to the processors what a change may move.

    1. read what was not sent yet, in id order
    2. publish it: outward events and commands by key, a Drain to every partition of the deals topic
    3. remember the rows as sent, with the offsets they came to

A crash between 2 and 3 sends again what was sent: commands are idempotent, events carry their
version. A command is done once `next_offset` has passed its offset, a drain round once
`published_to` has passed it in every partition.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import structlog

from db import relay as rows
from db.batch_reads import credits_in_force, read_accounts
from db.connect import Connection
from db.relay import Offsets, OutboxRow, Recredit
from domain.accounts import is_settled, terms_of
from domain.exact import exact_arithmetic
from domain.reference import Reference
from schemas import limits
from schemas.ids import AccountId
from schemas.messages import Drain, Message, Reaccrue, RecreditDeal
from schemas.settings import Settings
from schemas.state import Credit
from schemas.topics import DEALS
from streams.business import Moments
from streams.holding import Holding
from streams.outbound import Ends, Outbound

log = structlog.get_logger()

CAUSE: Final = "reference data changed: a held deal may be creditable now"
CAUSE_TERMS: Final = "reference data changed: quota, plan or rate"


class Relay:
    """Sends the reference outbox."""

    name = "relay"
    pause_s = limits.JOB_PAUSE_MS / 1_000

    def __init__(self, outbound: Outbound) -> None:
        self._outbound = outbound

    def step(self, holding: Holding) -> bool:
        """Send one page; whether it was full."""
        page = rows.unsent(holding.conn, limits.RELAY_ROWS_MAX)  # 1
        for run in _runs(page):
            self._relay(holding, run)
        return len(page) == limits.RELAY_ROWS_MAX

    def _relay(self, holding: Holding, run: Sequence[OutboxRow]) -> None:
        offsets = self._publish([row.message for row in run])  # 2
        sent = [(row.id, offsets) for row in run]
        holding.write(lambda: rows.note_sent(holding.conn, sent))  # 3

    def _publish(self, messages: Sequence[Message]) -> Offsets:
        if isinstance(messages[0], Drain):
            return _of_deals(self._outbound.broadcast(messages[0]))
        return _of_deals(self._outbound.publish(messages))


class Recrediting:
    """Sends each held deal to be credited again, once per reference version.

    Minimal rule: all of them, whatever changed. Paced: a page goes out when the one before is done.
    """

    name = "recrediting"
    pause_s = limits.COMMANDS_PAUSE_MS / 1_000

    def __init__(self, outbound: Outbound, settings: Settings) -> None:
        self._outbound = outbound
        self._topic = DEALS.full_name(settings.topic_prefix)

    def step(self, holding: Holding) -> bool:
        """Send one page of the version in force."""
        done = rows.read_recredit(holding.conn)
        if done is None or done.is_finished:
            return False
        if rows.not_applied(holding.conn, self._topic, done.offsets):
            return False
        after = self._page(holding, done)
        holding.write(lambda: rows.note_recredit(holding.conn, after))
        if after.is_finished and after.deals:
            log.info("held_deals_sent", deals=after.deals, version=after.reference_version)
        return not after.is_finished

    def _page(self, holding: Holding, done: Recredit) -> Recredit:
        deals = rows.held_deals(holding.conn, done.after_deal, limits.RECREDIT_DEALS_MAX)
        if not deals:
            return done._replace(is_finished=True)
        version = done.reference_version
        ends = self._outbound.publish(
            [RecreditDeal(deal_id=deal, cause=CAUSE, reference_version=version) for deal in deals]
        )
        return done._replace(
            after_deal=deals[-1], offsets=_of_deals(ends), deals=done.deals + len(deals)
        )


class Reaccruing:
    """Has accounts evaluated again whose cells would earn otherwise under the version in force.

    A changed quota, plan or rate moves what an account has earned without any deal. All accounts
    are looked at once per reference version and after each start; what is right already costs a
    read. Paced like Recrediting. A new version begins again at the first account.
    """

    name = "reaccruing"
    pause_s = limits.COMMANDS_PAUSE_MS / 1_000

    def __init__(self, outbound: Outbound, settings: Settings, moments: Moments) -> None:
        self._outbound = outbound
        self._topic = DEALS.full_name(settings.topic_prefix)
        self._moments = moments
        self._version = -1
        self._after: AccountId | None = None  # None: all were looked at
        self._offsets: Offsets = {}

    def step(self, holding: Holding) -> bool:
        """Look at one page of accounts."""
        known = self._moments().reference
        if known.version != self._version:
            self._version, self._after = known.version, AccountId("")
        if self._after is None or rows.not_applied(holding.conn, self._topic, self._offsets):
            return False
        accounts = rows.accounts(holding.conn, self._after, limits.REACCRUE_ACCOUNTS_MAX)
        moved = _moved(holding.conn, accounts, known)
        if moved:
            self._offsets = _of_deals(self._outbound.publish(moved))
            log.info("accounts_sent", accounts=len(moved), version=known.version)
        self._after = accounts[-1] if accounts else None
        return bool(accounts)


def _moved(conn: Connection, accounts: Sequence[AccountId], known: Reference) -> list[Message]:
    """A Reaccrue for each account where evaluating it again would book something."""
    credits: dict[AccountId, list[Credit]] = {account: [] for account in accounts}
    for credit in credits_in_force(conn, accounts):
        credits[credit.account_id].append(credit)
    with exact_arithmetic():
        return [
            Reaccrue(account_id=account, cause=CAUSE_TERMS, reference_version=known.version)
            for account, state in sorted(read_accounts(conn, accounts).items())
            if not is_settled(state, credits[account], terms_of(state, known))
        ]


def _runs(page: Sequence[OutboxRow]) -> Iterator[Sequence[OutboxRow]]:
    """Rows that are published together: a Drain stands alone, behind all that came before it."""
    run: list[OutboxRow] = []
    for row in page:
        if isinstance(row.message, Drain):
            if run:
                yield run
            yield [row]
            run = []
        else:
            run.append(row)
    if run:
        yield run


def _of_deals(ends: Ends) -> Offsets:
    return {partition: end for (topic, partition), end in ends.items() if topic == DEALS.name}
