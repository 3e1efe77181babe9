"""Bugs of the batch protocol to be planted: what is put in place of what, and where to look for it.

Each is one that a good engineer might write. `tests` are those that ought to notice; the script
(tests/planted/plant.py) says which did.
"""

from typing import NamedTuple

PROTOCOL = "tests/streams/test_batch_protocol.py"
SIMULATION = "tests/streams/test_simulation.py"
BOTH = (PROTOCOL, SIMULATION)
BATCH = "streams/batch.py"
PREPARATION = "streams/preparation.py"


class Bug(NamedTuple):
    """`was` stands exactly once in `file` and becomes `now`."""

    name: str
    file: str
    was: str
    now: str
    tests: tuple[str, ...] = BOTH


BUGS = (
    Bug(
        "tokens are not checked behind the turnstile",
        BATCH,
        "if entered.tokens.get(partition) != self._claims[partition].token",
        "if partition not in self._claims",
    ),
    Bug(
        "a batch out of turn is booked",
        BATCH,
        "if first != self.expected[partition]:",
        "if first > self.expected[partition] + 10**9:",
    ),
    Bug(
        "next_offset is read again at a retry",
        BATCH,
        "starts = {p: first for p, (first, _) in prepared.group.ranges.items()}\n"
        "        committed: list",
        "starts = dict(self.expected)\n        committed: list",
    ),
    Bug(
        "the reference version is not compared behind the turnstile",
        BATCH,
        "if prepared.reference.version == entered.reference_version:",
        "if prepared.reference.version <= entered.reference_version:",
    ),
    Bug(
        "positions are read before their accounts are locked",
        BATCH,
        "        locked = transaction.lock_accounts(sorted(needed))\n"
        "        states = transaction.read_accounts(locked)\n",
        "        states = transaction.read_accounts(sorted(needed))\n"
        "        transaction.lock_accounts(sorted(needed))\n",
    ),
    Bug(
        "booked_at is taken too early",
        BATCH,
        "                transaction.now(),\n"
        "                entered.sealed_to,\n"
        "                entered.reference_known_at,\n"
        "                states.values(),\n"
        "                prepared.steps.values(),\n",
        "                entered.reference_known_at,\n"
        "                entered.sealed_to,\n"
        "                entered.reference_known_at,\n"
        "                (),\n"
        "                (),\n",
    ),
    Bug(
        "what the worker expects moves before the commit",
        BATCH,
        "            transaction.commit(self._advances(prepared))  # 8\n",
        "            advances = self._advances(prepared)\n"
        "            self.expected.update({p: n for p, (_, n) in prepared.group.ranges.items()})\n"
        "            transaction.commit(advances)  # 8\n",
    ),
    Bug(
        "a batch is tried again after an unknown commit",
        BATCH,
        "            except Aborted as error:\n                if len(items) == 1",
        "            except (Aborted, Fenced) as error:\n                if len(items) == 1",
    ),
    Bug(
        "a moved deal is booked on the state it had",
        BATCH,
        "        states = transaction.read_deals(moved)\n"
        "        steps = preparation.steps_of(moved, prepared.group, states, prepared.reference)\n",
        "        old = prepared.steps\n"
        "        steps = {d: old[d]._replace(before=versions.get(d, 0)) for d in moved}\n",
    ),
    Bug(
        "halves are tried in the wrong order",
        BATCH,
        "                failures = self._pause(failures, str(error))\n"
        "                pending[:0] = _halves(items)\n",
        "                failures = self._pause(failures, str(error))\n"
        "                pending[:0] = _halves(items)[::-1]\n",
    ),
    Bug(
        "the cache of the assignment before is kept after a claim",
        BATCH,
        "        self._positions = dict(self.expected)\n",
        "        self._positions = {**self.expected, **self._positions}\n",
    ),
    Bug(
        "control records move past what is not yet booked",
        BATCH,
        "            published_to=published_to,\n",
        "            published_to=next_offset,\n",
    ),
    Bug(
        "a hole in what was delivered is not noticed",
        PREPARATION,
        "        if part.since > at[part.partition]:",
        "        if part.since > at[part.partition] + 10**9:",
    ),
    Bug(
        "records below the position are booked again",
        PREPARATION,
        "        if record.offset >= positions[part.partition]\n",
        "        if record.offset >= 0\n",
    ),
    Bug(
        "a command is judged 'nothing to do' on a stale state",
        PREPARATION,
        "    if received or (is_recredited and state.seen):",
        "    if received or (is_recredited and state.credits):",
    ),
    Bug(
        "a revision that changes no credit is not kept",
        PREPARATION,
        "        is_written=state != before,",
        "        is_written=bool(booked),",
    ),
    Bug(
        "a duplicate counts as a revision",
        PREPARATION,
        "        if merge.outcome is Outcome.DUPLICATE:\n            continue\n",
        "",
    ),
    Bug(
        "a stale revision wins",
        "domain/revisions.py",
        "    return facet.seen.revision, facet.seen.digest",
        "    return -facet.seen.revision, facet.seen.digest",
    ),
    Bug(
        "commands to evaluate an account again are not heard",
        PREPARATION,
        "                reaccrues.add(AccountId(decoded.account_id))",
        "                pass",
    ),
    Bug(
        "what is published again is encoded by another version of the facts",
        "streams/facts.py",
        "        deal_version=row.deal_version,\n        deal_source",
        "        deal_version=row.deal_version + again,\n        deal_source",
    ),
)
