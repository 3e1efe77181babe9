"""Alerts: off pace, by the state machine of domain/alerts.py, keyed by business date.

Evaluated when progress moves and when the business day turns (pace falls without any event). The
alerts' rows are locked in order; memory, events and outbox are written in one transaction. The
outbox is published by the leased job (streams/jobs.py).
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import groupby
from typing import Final, NamedTuple

import structlog

from db import alerts as rows
from db import retries
from db.alerts import Looked, Memory, Subject
from db.connect import Connection
from domain.alerts import Observation, alert_id, evaluate, with_deals
from domain.exact import exact_arithmetic
from domain.pace import Expected, to_go
from domain.plans import ROLLUP_ONLY
from domain.reference import Reference
from domain.terms import AccountTerms
from schemas import limits
from schemas.ids import AccountId, PayeeId, account_id
from schemas.messages import Alert, AlertKind, PeriodState, ProgressChanged, Role
from schemas.money import ZERO, ratio
from schemas.reference import Period
from schemas.state import Credit
from streams.attained import NOTHING, attained_at
from streams.business import Moment, Moments
from streams.pacing import Pacing

log = structlog.get_logger()

KIND: Final = AlertKind.OFF_PACE
ONE_DAY: Final = dt.timedelta(days=1)


class Look(NamedTuple):
    """A business date on which accounts are looked at, and what is expected by then."""

    day: dt.date
    expected: Expected | None


class Alerts:
    """One per thread and connection; several may look at the same accounts."""

    def __init__(self, conn: Connection, moments: Moments, pacing: Pacing | None = None) -> None:
        self._conn = conn
        self._moments = moments
        self._pacing = pacing or Pacing(conn)
        self._looked_at: tuple[dt.date, int] | None = None

    def on_progress(self, progress: Iterable[ProgressChanged]) -> int:
        """Look at those accounts today; how many events that gave. Replays are not looked at."""
        moved = {AccountId(state.account_id) for state in progress if not state.is_replay}
        if not moved:
            return 0
        moment = self._moments()
        missed = self._missed(moment)
        told = self._evaluate(moment, missed) if missed != [moment.today] else 0
        return told + self._evaluate(moment, [moment.today], moved)

    def on_tick(self) -> int:
        """Look at all accounts when the day has turned or reference data moved, and at a start."""
        moment = self._moments()
        now = moment.today, moment.reference.version
        if now == self._looked_at:
            return 0
        told = self._evaluate(moment, self._missed(moment))
        self._looked_at = now
        return told

    def _missed(self, moment: Moment) -> list[dt.date]:
        """The business dates to look at, in order: today, and before it those nobody looked at."""
        last, today = rows.last_evaluated(self._conn, KIND), moment.today
        if last is None or last >= today:
            return [today]
        count = min((today - last).days, limits.CATCH_UP_DAYS_MAX)
        return [today - n * ONE_DAY for n in reversed(range(count))]

    def _evaluate(
        self, moment: Moment, days: Sequence[dt.date], only: Collection[AccountId] | None = None
    ) -> int:
        told = 0
        with exact_arithmetic():
            for period, of_period in groupby(days, key=moment.reference.period_on):
                if period is None or period.state is PeriodState.LOCKED:
                    continue
                looks = [
                    Look(day, self._pacing.expected(moment.reference, period, day))
                    for day in of_period
                ]
                for page in _pages(_subjects(moment.reference, period, looks[-1].day, only)):
                    told += self._look_at(moment, period, looks, page)
        if told:
            log.info("alerts_told", events=told, business_date=str(moment.today))
        return told

    def _look_at(
        self, moment: Moment, period: Period, looks: Sequence[Look], page: Sequence[Subject]
    ) -> int:
        def step() -> list[Looked]:
            known = rows.lock(self._conn, KIND, period.period_id, page)
            credited = _Credited(self._conn, moment, period, looks, page)
            looked = credited.with_deals(
                [
                    _looked(subject, known[subject.account_id], looks, credited, moment, period)
                    for subject in page
                ]
            )
            rows.write(self._conn, KIND, period.period_id, looked)
            return looked

        return sum(len(looked.events) for looked in retries.run(self._conn, step))


class _Credited:
    """What accounts had credited by a day: what they have now, without deals closed later.

    All of it as the accounts stood at one version each, which is read with the amounts.
    """

    def __init__(
        self,
        conn: Connection,
        moment: Moment,
        period: Period,
        looks: Sequence[Look],
        page: Sequence[Subject],
    ) -> None:
        self._conn = conn
        self._moment = moment
        self._period = period
        accounts = [subject.account_id for subject in page]
        found = attained_at(conn, moment.reference, period, accounts)
        self._now = {
            account_id(payee_id, period.plan_year): reached for payee_id, reached in found.items()
        }
        self._later: dict[AccountId, list[tuple[dt.date, Decimal]]] = defaultdict(list)
        if looks[0].day < moment.today:
            day = looks[0].day
            for row in rows.credited_after(conn, self._versions(), period.period_id, day):
                if self._counts(row.payee_id, row.segment, Role(row.role), row.credit_type):
                    self._later[row.account_id].append((row.closed_on, row.amount))

    def by(self, subject: Subject, day: dt.date) -> Decimal:
        """Of today all that stands; of a day that was missed what was closed by then."""
        now = self._now.get(subject.account_id, NOTHING).amount
        if day >= self._moment.today:
            return now
        later = (amount for closed_on, amount in self._later[subject.account_id] if closed_on > day)
        return now - sum(later, ZERO)

    def with_deals(self, looked: Sequence[Looked]) -> list[Looked]:
        """Every event with its last deals; who has nothing to tell is not read for."""
        telling = {found.subject.account_id for found in looked if found.events}
        versions = {a: version for a, version in self._versions().items() if a in telling}
        if not telling:
            return list(looked)
        credits: dict[AccountId, list[Credit]] = defaultdict(list)
        roles = _roles(self._moment.reference)
        for credit in rows.credits(self._conn, versions, self._period.period_id, roles):
            if self._counts(credit.payee_id, credit.segment, credit.role, credit.credit_type):
                credits[credit.account_id].append(credit)
        return [
            found._replace(
                events=[
                    with_deals(event, self._by(credits[found.subject.account_id], event))
                    for event in found.events
                ]
            )
            for found in looked
        ]

    def _by(self, credits: Iterable[Credit], event: Alert) -> Iterator[Credit]:
        """Those that `by` counts on the event's date."""
        is_today = event.business_date >= self._moment.today
        return (c for c in credits if is_today or c.closed_on <= event.business_date)

    def _versions(self) -> dict[AccountId, int]:
        return {account: reached.account_version for account, reached in self._now.items()}

    def _counts(self, payee_id: PayeeId, segment: str, role: Role, credit_type: str) -> bool:
        terms = AccountTerms(payee_id, self._moment.reference).of(segment, self._period.period_id)
        parts = terms.by_credit.get((role, credit_type), ())
        return any(part.counts_for_attainment for part in parts)


def _roles(reference: Reference) -> set[Role]:
    """The roles that count for attainment in any plan."""
    documents = (ROLLUP_ONLY, *(plan.document for plan in reference.rows.plans))
    parts = (part for document in documents for part in document.components)
    return {role for part in parts if part.counts_for_attainment for role in part.measure.roles}


def _subjects(
    reference: Reference, period: Period, day: dt.date, only: Collection[AccountId] | None
) -> Iterator[Subject]:
    """The accounts with a quota in the period whose payees are in service, in order."""
    payees = sorted({quota.payee_id for quota in reference.rows.quotas})
    for payee_id in payees:
        account = account_id(payee_id, period.plan_year)
        if only is not None and account not in only:
            continue
        has_quota = reference.quota_of(payee_id, period.period_id) is not None
        if has_quota and reference.person_on(payee_id, day):
            yield Subject(
                account,
                alert_id(account, period.period_id),
                payee_id,
                _manager(reference, payee_id, day),
            )


def _manager(reference: Reference, payee_id: PayeeId, day: dt.date) -> PayeeId | None:
    return next(iter(reference.managers_above(payee_id, day)), None)


def _looked(
    subject: Subject,
    memory: Memory,
    looks: Sequence[Look],
    credited: _Credited,
    moment: Moment,
    period: Period,
) -> Looked:
    """The subject after the looks that are still to be made, each dated."""
    running, evaluated_on = memory
    events: list[Alert] = []
    for look in looks:
        if evaluated_on is not None and look.day <= evaluated_on and look.day != moment.today:
            continue
        evaluated_on = look.day
        if look.expected is None or not moment.reference.person_on(subject.payee_id, look.day):
            continue
        seen = _observation(subject, look.day, look.expected, credited, moment.reference, period)
        running, event = evaluate(running, seen, moment.reference.rows.calendar)
        events += [event] if event is not None else []
    return Looked(subject, running, evaluated_on or moment.today, events)


def _observation(
    subject: Subject,
    day: dt.date,
    expected: Expected,
    credited: _Credited,
    reference: Reference,
    period: Period,
) -> Observation:
    quota = reference.quota_of(subject.payee_id, period.period_id)
    assert quota is not None
    amount = credited.by(subject, day)
    return Observation(
        account_id=subject.account_id,
        payee_id=subject.payee_id,
        manager_id=_manager(reference, subject.payee_id, day),
        period_id=period.period_id,
        business_date=day,
        credited=amount,
        quota=quota,
        attainment_ratio=ratio(amount, quota),
        expected=expected,
        to_go=to_go(amount, quota, period, day, reference.rows.calendar),
        currency=reference.currency,
    )


def _pages(subjects: Iterable[Subject]) -> Iterator[list[Subject]]:
    page: list[Subject] = []
    for subject in subjects:
        page.append(subject)
        if len(page) == limits.ALERT_ACCOUNTS_MAX:
            yield page
            page = []
    if page:
        yield page
