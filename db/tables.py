"""The tables, declared once. Migrations create them; a test compares the two.

Who changes a table here writes a revision (`alembic revision --autogenerate --rev-id 0002 -m why`;
it does not see check constraints) and says in grants.py who writes a new table.

Facts (`deal_revisions`, `credits`, `ledger`, `payments`, `progress_history`, `alert_events`) are
append-only and, where TimescaleDB is there, hypertables by `booked_at` (db/hypertables.py). They
carry no foreign keys: the first row of a new chunk would lock the referenced table against every
open batch. State rows carry a version. Reference rows are bitemporal: effective
[starts_on, ends_on) x known [known_from, known_to).
"""

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

metadata: Final = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "pk": "pk_%(table_name)s",
    }
)

HYPERTABLES: Final = (
    "deal_revisions",
    "credits",
    "ledger",
    "payments",
    "progress_history",
    "alert_events",
)


def _text(name: str, *args: Any, null: bool = False, **kw: Any) -> sa.Column[str]:
    return sa.Column(name, sa.Text, *args, nullable=null, **kw)


def _big(name: str, *args: Any, null: bool = False, **kw: Any) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, *args, nullable=null, **kw)


def _int(name: str, *args: Any, null: bool = False, **kw: Any) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, *args, nullable=null, **kw)


def _num(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Numeric, nullable=null)


def _at(name: str, *, null: bool = False, **kw: Any) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=null, **kw)


def _on(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Date, nullable=null)


def _flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean, nullable=False)


def _json(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, pg.JSON, nullable=null)


# ---- facts --------------------------------------------------------------------------------------

deal_revisions = sa.Table(
    "deal_revisions",
    metadata,
    _at("booked_at"),
    _text("deal_id"),
    _text("source"),
    _text("source_record"),  # the source's key
    _big("revision"),
    _text("digest"),
    _on("changed_on"),
    _text("outcome"),  # new, superseded, conflict
    _json("content"),  # the DealChanged as read
    _text("tracking_id"),
    _text("traceparent", null=True),
    _big("deal_version"),
    _big("batch"),
    _int("partition"),
    _big("record_offset"),
    sa.Index(None, "deal_id", "booked_at"),
    sa.Index(None, "tracking_id"),
)

credits = sa.Table(
    "credits",
    metadata,
    _at("booked_at"),
    _text("credit_id"),
    _text("deal_id"),
    _big("deal_version"),
    _text("deal_source"),
    _big("deal_revision"),
    _text("payee_id"),
    _text("account_id"),
    _big("account_version"),
    _text("role"),
    _text("credit_type"),
    _int("ordinal"),
    _num("amount"),
    _text("currency"),
    _on("closed_on"),
    _at("closed_at"),
    _text("origin_period"),
    _text("segment"),
    _text("cause"),
    _text("reverses", null=True),
    _text("period_state"),
    _big("reference_version"),
    _flag("is_replay"),
    _text("traceparent", null=True),
    _big("batch"),
    sa.Index(None, "account_id", "origin_period"),
    sa.Index(None, "deal_id"),
    sa.Index(None, "batch"),
)

ledger = sa.Table(
    "ledger",
    metadata,
    _at("booked_at"),
    _text("entry_id"),
    _text("account_id"),
    _big("account_version"),
    _text("payee_id", null=True),
    _text("component"),
    _text("segment"),
    _text("origin_period"),
    _text("booking_period"),
    _text("kind"),
    _num("credited"),
    _num("earned"),
    _text("currency"),
    _int("credits"),
    _num("credited_after"),
    _num("earned_after"),
    _text("plan_id"),
    _big("plan_version"),
    _text("cause"),
    _big("reference_version"),
    _flag("is_replay"),
    _text("traceparent", null=True),
    _big("batch"),
    sa.Index(None, "account_id", "account_version"),
    sa.Index(None, "booking_period", "account_id"),
    sa.Index(None, "batch"),
)

payments = sa.Table(
    "payments",
    metadata,
    _at("booked_at"),
    _text("payment_id"),
    _text("payee_id"),
    _text("kind"),
    _text("booking_period"),
    _num("amount"),
    _text("currency"),
    _text("cause"),
    _big("batch", null=True),
    sa.Index(None, "payee_id", "booked_at"),
)

progress_history = sa.Table(
    "progress_history",
    metadata,
    _at("booked_at"),
    _text("account_id"),
    _big("version"),
    _text("component"),
    _text("segment"),
    _text("period_id"),
    _num("credited"),
    _int("credits"),
    _num("earned"),
    _big("batch"),
    sa.Index(None, "account_id", "version"),
    sa.Index(None, "batch"),
)

alert_events = sa.Table(
    "alert_events",
    metadata,
    _at("booked_at"),
    _text("alert_id"),
    _text("event"),  # raised, updated, cleared
    _text("subject"),
    _text("kind"),
    _text("period_id"),
    _text("payee_id", null=True),
    _on("business_date"),
    _json("content"),
    sa.Index(None, "alert_id", "booked_at"),
    sa.Index(None, "payee_id", "booked_at"),
)

# ---- state of the processors ---------------------------------------------------------------------

deals = sa.Table(
    "deals",
    metadata,
    _text("deal_id", primary_key=True),
    _big("version"),
    _text("source"),
    _text("search_key"),  # the source's own id in lower case
    _text("name", null=True),
    _text("customer", null=True),  # name, else key
    _text("status"),
    _num("amount", null=True),
    _text("currency", null=True),
    _on("closed_on", null=True),
    _text("channel", null=True),
    _text("outcome"),  # credited, held, not_eligible, not_counted (open, lost, cancelled)
    sa.Column("named", pg.ARRAY(sa.Text), nullable=False),  # "source:key" of owner and shares
    _json("state"),  # schemas.state.DealState
    _big("reference_version"),
    _at("received_at"),  # when it was booked first: never changes
    _at("booked_at"),
    _big("batch"),
    sa.Index(None, "closed_on"),
    sa.Index(None, "received_at", "deal_id"),
    sa.Index(None, "search_key", postgresql_ops={"search_key": "text_pattern_ops"}),
    sa.Index(
        None,
        "named",
        postgresql_using="gin",
        # Whom a deal names alone, and who is credited, stands in `credits`.
        postgresql_where=sa.text(
            "named <> '{}'::text[] AND (outcome <> 'credited'::text OR cardinality(named) > 1)"
        ),
    ),
)

accounts = sa.Table(
    "accounts",
    metadata,
    _text("account_id", primary_key=True),
    _text("payee_id"),
    _text("plan_year"),
    _text("currency"),
    _big("version"),
    _at("booked_at", null=True),
    _big("batch", null=True),
    sa.Index(None, "payee_id"),
    postgresql_with={"fillfactor": "50"},
)

positions = sa.Table(
    "positions",
    metadata,
    _text("account_id", primary_key=True),
    _text("segment", primary_key=True),
    _text("component", primary_key=True),
    _text("period_id", primary_key=True),
    _num("credited"),
    _int("credits"),
    _num("earned"),
    _big("version"),  # of the account, when this cell changed last
    sa.Index(None, "period_id"),
    postgresql_with={"fillfactor": "50"},
)

holds = sa.Table(
    "holds",
    metadata,
    _text("deal_id", primary_key=True),
    _text("share", primary_key=True),
    _text("payee_key", null=True),
    _text("role"),
    _text("reason"),
    _num("amount"),
    _text("currency"),
    _text("detail"),
    _text("source"),
    _on("closed_on", null=True),
    _at("held_since"),
    sa.Index(None, "reason"),
)

ineligible = sa.Table(
    "ineligible",
    metadata,
    _text("deal_id", primary_key=True),
    _text("rule_id"),
    _text("reason"),
    _num("amount", null=True),
    _text("currency", null=True),
    _on("closed_on", null=True),
    _at("booked_at"),
)

dead_letters = sa.Table(
    "dead_letters",
    metadata,
    _text("dead_letter_id", primary_key=True),
    _text("topic"),
    _int("partition"),
    _big("record_offset"),
    _text("source_key"),
    _text("code"),
    _text("place"),
    _text("problem"),
    _text("remedy"),
    sa.Column("value", pg.BYTEA, nullable=False),
    _big("batch"),
    _at("booked_at"),
    sa.Index(None, "batch"),
    sa.Index(None, "booked_at"),
    sa.Index(None, "source_key"),
)

partitions = sa.Table(
    "partitions",
    metadata,
    _text("topic", primary_key=True),
    _int("partition", primary_key=True),
    _big("token", server_default="0"),
    _text("owner", server_default=""),
    _big("next_offset", server_default="0"),
    _big("published_to", server_default="0"),
    postgresql_with={"fillfactor": "50"},
)

batches = sa.Table(
    "batches",
    metadata,
    _big("batch", primary_key=True, autoincrement=False),
    _at("booked_at"),
    _big("reference_version"),
    _flag("is_replay"),
    _json("accounts"),  # {account_id: version}
)

batch_offsets = sa.Table(
    "batch_offsets",
    metadata,
    _text("topic", primary_key=True),
    _int("partition", primary_key=True),
    _big("first_offset", primary_key=True),
    _big("next_offset"),
    _big("batch"),
    sa.Index(None, "batch"),
    sa.Index(None, "topic", "partition", "next_offset"),
)

fact_outbox = sa.Table(
    "fact_outbox",
    metadata,
    _big("batch", primary_key=True, autoincrement=False),
    _int("ordinal", primary_key=True),
    _text("message_type"),
    _text("message_key"),
    _json("message"),
)

source_states = sa.Table(
    "source_states",
    metadata,
    _text("source", primary_key=True),
    _int("partition", primary_key=True),
    _at("complete_through"),
)

board_states = sa.Table(
    "board_states",
    metadata,
    _text("board_id", primary_key=True),
    _big("version"),
    _text("period_id", null=True),
    _on("business_date", null=True),  # of the opening ranks
    _json("opening_ranks", null=True),  # {payee_id: rank}
    _json("standing", null=True),  # the last StandingsChanged with all rows
    _big("published_version", server_default="0"),  # all up to it is known to be on the topic
    _at("computed_at", null=True),
)

alerts = sa.Table(
    "alerts",
    metadata,
    _text("subject", primary_key=True),
    _text("kind", primary_key=True),
    _text("period_id", primary_key=True),
    _text("alert_id"),
    _text("payee_id", null=True),
    _text("manager_id", null=True),
    _text("state"),  # watching, raised, cleared
    _big("version"),
    _json("memory"),  # what the state machine remembers
    _json("content", null=True),  # the last Alert
    _on("raised_on", null=True),
    _on("evaluated_on", null=True),
    sa.Index(None, "payee_id"),
    sa.Index(None, "manager_id"),
)

alert_outbox = sa.Table(
    "alert_outbox",
    metadata,
    _big("id", sa.Identity(always=True), primary_key=True),
    _text("message_type"),
    _text("message_key"),
    _json("message"),
    _at("written_at", server_default=sa.func.clock_timestamp()),
    _at("sent_at", null=True),
    sa.Index(None, "sent_at", postgresql_where=sa.text("sent_at IS NULL")),
)

statements = sa.Table(
    "statements",
    metadata,
    _text("account_id", primary_key=True),
    _text("period_id", primary_key=True),
    _text("payee_id"),
    _num("earned"),
    _text("currency"),
    _int("line_count"),
    _text("statement_hash"),
    _at("locked_at"),
    _at("frozen_at"),
    _json("lines"),
    sa.Index(None, "payee_id"),
)

leases = sa.Table(
    "leases",
    metadata,
    _text("lease", primary_key=True),
    _text("owner"),
    _big("token"),
    _at("held_until"),
)

relay_sent = sa.Table(  # what the relay has sent of the reference outbox: its own, nobody else's
    "relay_sent",
    metadata,
    _big("outbox_id", primary_key=True, autoincrement=False),
    _json("offsets"),  # {partition: offset} of the deals topic; {} for outward events
    _at("sent_at"),
)

recredits = sa.Table(  # how far held deals were sent to be credited again
    "recredits",
    metadata,
    _big("reference_version", primary_key=True, autoincrement=False),
    _text("after_deal"),  # the last deal sent
    _json("offsets"),  # {partition: offset} of the last page on the deals topic
    _big("deals"),  # how many were sent
    _at("finished_at", null=True),
)

# ---- reference data, written by the API and the CLI ----------------------------------------------

installation = sa.Table(
    "installation",
    metadata,
    _int("one", sa.CheckConstraint("one = 1", name="one"), primary_key=True, autoincrement=False),
    _text("company"),
    _text("currency"),
    _text("time_zone"),
    _big("reference_version"),
    _at("reference_known_at"),
    _at("sealed_to"),
    _big("timeline"),
    _int("deals_partitions"),
)


def _bitemporal(name: str, *columns: sa.Column[Any], key: tuple[str, ...]) -> sa.Table:
    """A reference table: a row is known from `known_from` until another supersedes it."""
    return sa.Table(
        name,
        metadata,
        _big("row_id", sa.Identity(always=True), primary_key=True),
        *columns,
        _at("known_from"),
        _at("known_to", null=True),
        _big("reference_version"),  # the version that made it known
        sa.Index(
            f"uq_{name}_known", *key, unique=True, postgresql_where=sa.text("known_to IS NULL")
        ),
    )


people = _bitemporal(
    "people",
    _text("payee_id"),
    _text("name"),
    _text("role"),
    _text("title", null=True),
    _on("starts_on"),
    _on("ends_on", null=True),
    key=("payee_id", "starts_on"),
)
payee_keys = _bitemporal(
    "payee_keys", _text("source"), _text("key"), _text("payee_id"), key=("source", "key")
)
deal_keys = _bitemporal(
    "deal_keys", _text("source"), _text("key"), _text("deal_id"), key=("source", "key")
)
reporting_lines = _bitemporal(
    "reporting_lines",
    _text("payee_id"),
    _text("manager_id"),
    _on("starts_on"),
    _on("ends_on", null=True),
    key=("payee_id", "starts_on"),
)
teams = _bitemporal(
    "teams",
    _text("team_id"),
    _text("name"),
    _text("lead_id", null=True),
    _on("starts_on"),
    _on("ends_on", null=True),
    key=("team_id", "starts_on"),
)
territories = _bitemporal(
    "territories",
    _text("territory_id"),
    _text("name"),
    _text("region", null=True),
    _text("country", null=True),
    key=("territory_id",),
)
territory_rules = _bitemporal(  # who holds a territory, when
    "territory_rules",
    _text("territory_id"),
    _text("payee_id"),
    _on("starts_on"),
    _on("ends_on", null=True),
    key=("territory_id", "payee_id", "starts_on"),
)
crediting_rules = _bitemporal(
    "crediting_rules",
    _text("rule_id"),
    _json("condition"),
    _text("reason"),
    _int("priority"),
    key=("rule_id",),
)
deal_shares = _bitemporal(  # owner or splits set by hand
    "deal_shares",
    _text("deal_id"),
    _json("shares"),
    _text("reason"),
    key=("deal_id",),
)
plans = _bitemporal(
    "plans",
    _text("plan_id"),
    _big("plan_version"),
    _on("starts_on"),
    _on("ends_on", null=True),
    _json("document"),
    key=("plan_id", "starts_on"),
)
assignments = _bitemporal(
    "assignments",
    _text("assignment_id"),
    _text("payee_id"),
    _text("plan_id"),
    _num("rate", null=True),
    _on("starts_on"),
    _on("ends_on", null=True),
    key=("payee_id", "starts_on"),
)
quotas = _bitemporal(
    "quotas", _text("payee_id"), _text("period_id"), _num("amount"), key=("payee_id", "period_id")
)
fx_rates = _bitemporal(
    "fx_rates", _text("currency"), _on("starts_on"), _num("rate"), key=("currency", "starts_on")
)
calendars = _bitemporal(
    "calendars",
    _text("calendar_id"),
    _json("weekend"),
    _json("holidays"),
    sa.Column("day_starts", sa.Time, nullable=False),
    sa.Column("day_ends", sa.Time, nullable=False),
    _text("curve"),
    key=("calendar_id",),
)
periods = _bitemporal(
    "periods",
    _text("period_id"),
    _text("plan_year"),
    _on("starts_on"),
    _on("ends_on"),
    _text("state"),  # open, locked
    key=("period_id",),
)
boards = _bitemporal(
    "boards",
    _text("board_id"),
    _text("name"),
    _text("measure"),
    _json("roles"),
    _text("visibility"),
    key=("board_id",),
)
sources = _bitemporal(
    "sources", _text("source"), _json("fields"), _text("description"), key=("source",)
)
mappings = _bitemporal(  # how to read a source's files (ingest/mapping.py)
    "mappings",
    _text("mapping_id"),
    _text("name"),
    _text("source"),
    _json("document"),
    key=("mapping_id",),
)

users = sa.Table(  # who may sign in, and as which payee
    "users",
    metadata,
    _text("user_id", primary_key=True),
    _text("payee_id", null=True),
    _text("role"),  # rep, manager, admin
    _text("name"),
    _flag("demo"),
    _at("disabled_at", null=True),
)

reference_outbox = sa.Table(
    "reference_outbox",
    metadata,
    _big("id", sa.Identity(always=True), primary_key=True),
    _text("message_type"),  # a CloudEvents type of schemas/messages.py
    _text("message_key"),
    _json("message"),
    _big("reference_version"),
    _at("written_at", server_default=sa.func.clock_timestamp()),
)

clock = sa.Table(  # the business clock's history: the last row is in force
    "clock",
    metadata,
    _big("id", sa.Identity(always=True), primary_key=True),
    _at("real"),
    _at("business"),
    _num("rate"),
    _text("set_by"),
)

audit = sa.Table(
    "audit",
    metadata,
    _big("id", sa.Identity(always=True), primary_key=True),
    _at("at", server_default=sa.func.clock_timestamp()),
    _text("actor"),
    _text("action"),
    _text("entity"),
    _json("before", null=True),
    _json("after", null=True),
    _text("request_id", null=True),
    _big("reference_version", null=True),
    sa.Index(None, "entity"),
    sa.Index(None, "at"),
)

notes = sa.Table(  # what people say of a thing: "alert/<alert_id>"
    "notes",
    metadata,
    _big("id", sa.Identity(always=True), primary_key=True),
    _text("subject"),
    _text("author"),  # a user_id
    _text("text"),
    _at("written_at", server_default=sa.func.clock_timestamp()),
    sa.Index(None, "subject"),
)

alert_acknowledgements = sa.Table(  # of one raising of an alert; raised again, it is open again
    "alert_acknowledgements",
    metadata,
    _big("id", sa.Identity(always=True), primary_key=True),
    _text("alert_id"),
    _on("raised_on"),
    _text("author"),  # a user_id
    _text("payee_id", null=True),
    _text("text"),
    _at("written_at", server_default=sa.func.clock_timestamp()),
    sa.Index(None, "alert_id", "raised_on"),
    sa.Index(None, "payee_id"),
)

postings = sa.Table(  # what the API put on the deals topic, so that a sender can ask at once
    "postings",
    metadata,
    _text("tracking_id", primary_key=True),
    _text("deal_id"),
    _text("source"),
    _big("revision"),
    _text("posted_by"),  # a user_id
    _at("posted_at"),
    sa.Index(None, "posted_at"),
)

idempotency_keys = sa.Table(  # the first answer to a POST, for whoever sends it again
    "idempotency_keys",
    metadata,
    _text("caller", primary_key=True),
    _text("key", primary_key=True),
    _text("fingerprint"),  # of method, path, query and body
    _int("status", null=True),  # None: under way
    _json("headers", null=True),
    sa.Column("body", pg.BYTEA, nullable=True),
    _at("created_at", server_default=sa.func.clock_timestamp()),
    sa.Index(None, "created_at"),
)

imports = sa.Table(  # files that people loaded
    "imports",
    metadata,
    _text("import_id", primary_key=True),
    _text("file_name"),
    _text("file_digest"),
    _big("bytes"),
    _text("mapping_id", null=True),
    _json("mapping"),
    _flag("is_history"),
    _text("state"),  # schemas.answers.ImportState
    _text("author"),  # a user_id
    _json("result"),  # counts, effects, first errors: what ImportAnswer shows
    _text("problem", null=True),
    _at("created_at", server_default=sa.func.clock_timestamp()),
    _at("updated_at", server_default=sa.func.clock_timestamp()),
    sa.Index(None, "created_at", "import_id"),
    sa.Index(None, "file_digest"),
)

import_files = sa.Table(  # the file as it came, and the error file
    "import_files",
    metadata,
    _text("import_id", primary_key=True),
    sa.Column("content", pg.BYTEA, nullable=False),
    sa.Column("errors", pg.BYTEA, nullable=True),
)

source_records = sa.Table(  # the last full record of sources that send only what changed
    "source_records",
    metadata,
    _text("source", primary_key=True),
    _text("record_key", primary_key=True),
    _text("source_order"),
    _json("content"),
    _at("received_at"),
)
