"""The first tables, as explicit steps: later changes of tables.py get revisions of their own."""

from typing import Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from db import hypertables

revision: Final = "0001"
down_revision: Final = None

FACTS: Final = (
    "deal_revisions",
    "credits",
    "ledger",
    "payments",
    "progress_history",
    "alert_events",
)


def upgrade() -> None:
    tables()
    hypertables.create(op.get_bind(), FACTS)
    for name in ("tokens", "batch_numbers", "lease_tokens"):
        op.execute(f"CREATE SEQUENCE {name}")


def downgrade() -> None:
    raise NotImplementedError("facts are append-only: restore a backup instead")


def tables() -> None:
    op.create_table(
        "accounts",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("payee_id", sa.Text(), nullable=False),
        sa.Column("plan_year", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("booked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("batch", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_accounts")),
        postgresql_with={"fillfactor": "50"},
    )
    op.create_index(op.f("ix_accounts_payee_id"), "accounts", ["payee_id"], unique=False)
    op.create_table(
        "alert_events",
        sa.Column("booked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("alert_id", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("period_id", sa.Text(), nullable=False),
        sa.Column("payee_id", sa.Text(), nullable=True),
        sa.Column("business_date", sa.Date(), nullable=False),
        sa.Column("content", postgresql.JSON(), nullable=False),
    )
    op.create_index(
        op.f("ix_alert_events_alert_id_booked_at"),
        "alert_events",
        ["alert_id", "booked_at"],
        unique=False,
    )
    op.create_index(
        op.f("ix_alert_events_payee_id_booked_at"),
        "alert_events",
        ["payee_id", "booked_at"],
        unique=False,
    )
    op.create_table(
        "alert_outbox",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("message_type", sa.Text(), nullable=False),
        sa.Column("message_key", sa.Text(), nullable=False),
        sa.Column("message", postgresql.JSON(), nullable=False),
        sa.Column(
            "written_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_outbox")),
    )
    op.create_index(
        op.f("ix_alert_outbox_sent_at"),
        "alert_outbox",
        ["sent_at"],
        unique=False,
        postgresql_where=sa.text("sent_at IS NULL"),
    )
    op.create_table(
        "alerts",
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("period_id", sa.Text(), nullable=False),
        sa.Column("alert_id", sa.Text(), nullable=False),
        sa.Column("payee_id", sa.Text(), nullable=True),
        sa.Column("manager_id", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("memory", postgresql.JSON(), nullable=False),
        sa.Column("content", postgresql.JSON(), nullable=True),
        sa.Column("raised_on", sa.Date(), nullable=True),
        sa.Column("evaluated_on", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("subject", "kind", "period_id", name=op.f("pk_alerts")),
    )
    op.create_index(op.f("ix_alerts_manager_id"), "alerts", ["manager_id"], unique=False)
    op.create_index(op.f("ix_alerts_payee_id"), "alerts", ["payee_id"], unique=False)
    op.create_table(
        "assignments",
        sa.Column("row_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("assignment_id", sa.Text(), nullable=False),
        sa.Column("payee_id", sa.Text(), nullable=False),
        sa.Column("plan_id", sa.Text(), nullable=False),
        sa.Column("rate", sa.Numeric(), nullable=True),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.Column("known_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("known_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reference_version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("row_id", name=op.f("pk_assignments")),
    )
    op.create_index(
        "uq_assignments_known",
        "assignments",
        ["payee_id", "starts_on"],
        unique=True,
        postgresql_where=sa.text("known_to IS NULL"),
    )
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column(
            "at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("before", postgresql.JSON(), nullable=True),
        sa.Column("after", postgresql.JSON(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("reference_version", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_index(op.f("ix_audit_at"), "audit", ["at"], unique=False)
    op.create_index(op.f("ix_audit_entity"), "audit", ["entity"], unique=False)
    op.create_table(
        "batch_offsets",
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("first_offset", sa.BigInteger(), nullable=False),
        sa.Column("next_offset", sa.BigInteger(), nullable=False),
        sa.Column("batch", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "topic", "partition", "first_offset", name=op.f("pk_batch_offsets")
        ),
    )
    op.create_index(op.f("ix_batch_offsets_batch"), "batch_offsets", ["batch"], unique=False)
    op.create_index(
        op.f("ix_batch_offsets_topic_partition_next_offset"),
        "batch_offsets",
        ["topic", "partition", "next_offset"],
        unique=False,
    )
    op.create_table(
        "batches",
        sa.Column("batch", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("booked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reference_version", sa.BigInteger(), nullable=False),
        sa.Column("is_replay", sa.Boolean(), nullable=False),
        sa.Column("accounts", postgresql.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("batch", name=op.f("pk_batches")),
    )
    op.create_table(
        "board_states",
        sa.Column("board_id", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("period_id", sa.Text(), nullable=True),
        sa.Column("business_date", sa.Date(), nullable=True),
        sa.Column("opening_ranks", postgresql.JSON(), nullable=True),
        sa.Column("standing", postgresql.JSON(), nullable=True),
        sa.Column("published_version", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("computed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("board_id", name=op.f("pk_board_states")),
    )
    op.create_table(
        "boards",
        sa.Column("row_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("board_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("measure", sa.Text(), nullable=False),
        sa.Column("roles", postgresql.JSON(), nullable=False),
        sa.Column("visibility", sa.Text(), nullable=False),
        sa.Column("known_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("known_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reference_version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("row_id", name=op.f("pk_boards")),
    )
    op.create_index(
        "uq_boards_known",
        "boards",
        ["board_id"],
        unique=True,
        postgresql_where=sa.text("known_to IS NULL"),
    )
    op.create_table(
        "calendars",
        sa.Column("row_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("calendar_id", sa.Text(), nullable=False),
        sa.Column("weekend", postgresql.JSON(), nullable=False),
        sa.Column("holidays", postgresql.JSON(), nullable=False),
        sa.Column("day_starts", sa.Time(), nullable=False),
        sa.Column("day_ends", sa.Time(), nullable=False),
        sa.Column("curve", sa.Text(), nullable=False),
        sa.Column("known_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("known_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reference_version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("row_id", name=op.f("pk_calendars")),
    )
    op.create_index(
        "uq_calendars_known",
        "calendars",
        ["calendar_id"],
        unique=True,
        postgresql_where=sa.text("known_to IS NULL"),
    )
    op.create_table(
        "clock",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("real", sa.DateTime(timezone=True), nullable=False),
        sa.Column("business", sa.DateTime(timezone=True), nullable=False),
        sa.Column("rate", sa.Numeric(), nullable=False),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clock")),
    )
    op.create_table(
        "crediting_rules",
        sa.Column("row_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("rule_id", sa.Text(), nullable=False),
        sa.Column("condition", postgresql.JSON(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("known_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("known_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reference_version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("row_id", name=op.f("pk_crediting_rules")),
    )
    op.create_index(
        "uq_crediting_rules_known",
        "crediting_rules",
        ["rule_id"],
        unique=True,
        postgresql_where=sa.text("known_to IS NULL"),
    )
    op.create_table(
        "credits",
        sa.Column("booked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("credit_id", sa.Text(), nullable=False),
        sa.Column("deal_id", sa.Text(), nullable=False),
        sa.Column("deal_version", sa.BigInteger(), nullable=False),
        sa.Column("deal_source", sa.Text(), nullable=False),
        sa.Column("deal_revision", sa.BigInteger(), nullable=False),
        sa.Column("payee_id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("account_version", sa.BigInteger(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("credit_type", sa.Text(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("amount", sa.Numeric(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("closed_on", sa.Date(), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("origin_period", sa.Text(), nullable=False),
        sa.Column("segment", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("reverses", sa.Text(), nullable=True),
        sa.Column("period_state", sa.Text(), nullable=False),
        sa.Column("reference_version", sa.BigInteger(), nullable=False),
        sa.Column("is_replay", sa.Boolean(), nullable=False),
        sa.Column("traceparent", sa.Text(), nullable=True),
        sa.Column("batch", sa.BigInteger(), nullable=False),
    )
    op.create_index(
        op.f("ix_credits_account_id_origin_period"),
        "credits",
        ["account_id", "origin_period"],
        unique=False,
    )
    op.create_index(op.f("ix_credits_batch"), "credits", ["batch"], unique=False)
    op.create_index(op.f("ix_credits_deal_id"), "credits", ["deal_id"], unique=False)
    op.create_table(
        "dead_letters",
        sa.Column("dead_letter_id", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("record_offset", sa.BigInteger(), nullable=False),
        sa.Column("source_key", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.Column("remedy", sa.Text(), nullable=False),
        sa.Column("value", postgresql.BYTEA(), nullable=False),
        sa.Column("batch", sa.BigInteger(), nullable=False),
        sa.Column("booked_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("dead_letter_id", name=op.f("pk_dead_letters")),
    )
    op.create_index(op.f("ix_dead_letters_batch"), "dead_letters", ["batch"], unique=False)
    op.create_index(op.f("ix_dead_letters_booked_at"), "dead_letters", ["booked_at"], unique=False)
    op.create_table(
        "deal_keys",
        sa.Column("row_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("deal_id", sa.Text(), nullable=False),
        sa.Column("known_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("known_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reference_version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("row_id", name=op.f("pk_deal_keys")),
    )
    op.create_index(
        "uq_deal_keys_known",
        "deal_keys",
        ["source", "key"],
        unique=True,
        postgresql_where=sa.text("known_to IS NULL"),
    )
    op.create_table(
        "deal_revisions",
        sa.Column("booked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deal_id", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("source_record", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("changed_on", sa.Date(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("content", postgresql.JSON(), nullable=False),
        sa.Column("tracking_id", sa.Text(), nullable=False),
        sa.Column("traceparent", sa.Text(), nullable=True),
        sa.Column("deal_version", sa.BigInteger(), nullable=False),
        sa.Column("batch", sa.BigInteger(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("record_offset", sa.BigInteger(), nullable=False),
    )
    op.create_index(
        op.f("ix_deal_revisions_deal_id_booked_at"),
        "deal_revisions",
        ["deal_id", "booked_at"],
        unique=False,
    )
    op.create_index(
        op.f("ix_deal_revisions_tracking_id"), "deal_revisions", ["tracking_id"], unique=False
    )
    op.create_table(
        "deal_shares",
        sa.Column("row_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("deal_id", sa.Text(), nullable=False),
        sa.Column("shares", postgresql.JSON(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("known_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("known_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reference_version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("row_id", name=op.f("pk_deal_shares")),
    )
    op.create_index(
        "uq_deal_shares_known",
        "deal_shares",
        ["deal_id"],
        unique=True,
        postgresql_where=sa.text("known_to IS NULL"),
    )
    op.create_table(
        "deals",
        sa.Column("deal_id", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("amount", sa.Numeric(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("closed_on", sa.Date(), nullable=True),
        sa.Column("channel", sa.Text(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("state", postgresql.JSON(), nullable=False),
        sa.Column("reference_version", sa.BigInteger(), nullable=False),
        sa.Column("booked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("batch", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("deal_id", name=op.f("pk_deals")),
    )
    op.create_index(op.f("ix_deals_closed_on"), "deals", ["closed_on"], unique=False)
    op.create_table(
        "fact_outbox",
        sa.Column("batch", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("message_type", sa.Text(), nullable=False),
        sa.Column("message_key", sa.Text(), nullable=False),
        sa.Column("message", postgresql.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("batch", "ordinal", name=op.f("pk_fact_outbox")),
    )
    op.create_table(
        "fx_rates",
        sa.Column("row_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("rate", sa.Numeric(), nullable=False),
        sa.Column("known_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("known_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reference_version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("row_id", name=op.f("pk_fx_rates")),
    )
    op.create_index(
        "uq_fx_rates_known",
        "fx_rates",
        ["currency", "starts_on"],
        unique=True,
        postgresql_where=sa.text("known_to IS NULL"),
    )
    op.create_table(
        "holds",
        sa.Column("deal_id", sa.Text(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("payee_key", sa.Text(), nullable=True),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("amount", sa.Numeric(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("closed_on", sa.Date(), nullable=True),
        sa.Column("held_since", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("deal_id", "ordinal", name=op.f("pk_holds")),
    )
    op.create_index(op.f("ix_holds_reason"), "holds", ["reason"], unique=False)
    op.create_table(
        "ineligible",
        sa.Column("deal_id", sa.Text(), nullable=False),
        sa.Column("rule_id", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("amount", sa.Numeric(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("closed_on", sa.Date(), nullable=True),
        sa.Column("booked_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("deal_id", name=op.f("pk_ineligible")),
    )
    op.create_table(
        "installation",
        sa.Column("one", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("company", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("reference_version", sa.BigInteger(), nullable=False),
        sa.Column("reference_known_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sealed_to", sa.DateTime(timezone=True), nullable=False),
        sa.Column("timeline", sa.BigInteger(), nullable=False),
        sa.Column("deals_partitions", sa.Integer(), nullable=False),
        sa.CheckConstraint("one = 1", name=op.f("ck_installation_one")),
        sa.PrimaryKeyConstraint("one", name=op.f("pk_installation")),
    )
    op.create_table(
        "leases",
        sa.Column("lease", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.Column("held_until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("lease", name=op.f("pk_leases")),
    )
    op.create_table(
        "ledger",
        sa.Column("booked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("entry_id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("account_version", sa.BigInteger(), nullable=False),
        sa.Column("payee_id", sa.Text(), nullable=True),
        sa.Column("component", sa.Text(), nullable=False),
        sa.Column("segment", sa.Text(), nullable=False),
        sa.Column("origin_period", sa.Text(), nullable=False),
        sa.Column("booking_period", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("credited", sa.Numeric(), nullable=False),
        sa.Column("earned", sa.Numeric(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("credits", sa.Integer(), nullable=False),
        sa.Column("credited_after", sa.Numeric(), nullable=False),
        sa.Column("earned_after", sa.Numeric(), nullable=False),
        sa.Column("plan_id", sa.Text(), nullable=False),
        sa.Column("plan_version", sa.BigInteger(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("reference_version", sa.BigInteger(), nullable=False),
        sa.Column("is_replay", sa.Boolean(), nullable=False),
        sa.Column("traceparent", sa.Text(), nullable=True),
        sa.Column("batch", sa.BigInteger(), nullable=False),
    )
    op.create_index(
        op.f("ix_ledger_account_id_account_version"),
        "ledger",
        ["account_id", "account_version"],
        unique=False,
    )
    op.create_index(op.f("ix_ledger_batch"), "ledger", ["batch"], unique=False)
    op.create_index(
        op.f("ix_ledger_booking_period_account_id"),
        "ledger",
        ["booking_period", "account_id"],
        unique=False,
    )
    op.create_table(
        "mappings",
        sa.Column("row_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("mapping_id", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("columns", postgresql.JSON(), nullable=False),
        sa.Column("known_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("known_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reference_version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("row_id", name=op.f("pk_mappings")),
    )
    op.create_index(
        "uq_mappings_known",
        "mappings",
        ["mapping_id"],
        unique=True,
        postgresql_where=sa.text("known_to IS NULL"),
    )
    op.create_table(
        "notes",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column(
            "written_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notes")),
    )
    op.create_table(
        "partitions",
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("token", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("owner", sa.Text(), server_default="", nullable=False),
        sa.Column("next_offset", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("published_to", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("topic", "partition", name=op.f("pk_partitions")),
        postgresql_with={"fillfactor": "50"},
    )
    op.create_table(
        "payee_keys",
        sa.Column("row_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("payee_id", sa.Text(), nullable=False),
        sa.Column("known_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("known_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reference_version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("row_id", name=op.f("pk_payee_keys")),
    )
    op.create_index(
        "uq_payee_keys_known",
        "payee_keys",
        ["source", "key"],
        unique=True,
        postgresql_where=sa.text("known_to IS NULL"),
    )
    op.create_table(
        "payments",
        sa.Column("booked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("payment_id", sa.Text(), nullable=False),
        sa.Column("payee_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("booking_period", sa.Text(), nullable=False),
        sa.Column("amount", sa.Numeric(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("batch", sa.BigInteger(), nullable=True),
    )
    op.create_index(
        op.f("ix_payments_payee_id_booked_at"), "payments", ["payee_id", "booked_at"], unique=False
    )
    op.create_table(
        "people",
        sa.Column("row_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("payee_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.Column("known_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("known_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reference_version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("row_id", name=op.f("pk_people")),
    )
    op.create_index(
        "uq_people_known",
        "people",
        ["payee_id", "starts_on"],
        unique=True,
        postgresql_where=sa.text("known_to IS NULL"),
    )
    op.create_table(
        "periods",
        sa.Column("row_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("period_id", sa.Text(), nullable=False),
        sa.Column("plan_year", sa.Text(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("known_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("known_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reference_version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("row_id", name=op.f("pk_periods")),
    )
    op.create_index(
        "uq_periods_known",
        "periods",
        ["period_id"],
        unique=True,
        postgresql_where=sa.text("known_to IS NULL"),
    )
    op.create_table(
        "plans",
        sa.Column("row_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("plan_id", sa.Text(), nullable=False),
        sa.Column("plan_version", sa.BigInteger(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.Column("document", postgresql.JSON(), nullable=False),
        sa.Column("known_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("known_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reference_version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("row_id", name=op.f("pk_plans")),
    )
    op.create_index(
        "uq_plans_known",
        "plans",
        ["plan_id", "starts_on"],
        unique=True,
        postgresql_where=sa.text("known_to IS NULL"),
    )
    op.create_table(
        "positions",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("segment", sa.Text(), nullable=False),
        sa.Column("component", sa.Text(), nullable=False),
        sa.Column("period_id", sa.Text(), nullable=False),
        sa.Column("credited", sa.Numeric(), nullable=False),
        sa.Column("credits", sa.Integer(), nullable=False),
        sa.Column("earned", sa.Numeric(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "account_id", "segment", "component", "period_id", name=op.f("pk_positions")
        ),
        postgresql_with={"fillfactor": "50"},
    )
    op.create_index(op.f("ix_positions_period_id"), "positions", ["period_id"], unique=False)
    op.create_table(
        "progress_history",
        sa.Column("booked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("component", sa.Text(), nullable=False),
        sa.Column("segment", sa.Text(), nullable=False),
        sa.Column("period_id", sa.Text(), nullable=False),
        sa.Column("credited", sa.Numeric(), nullable=False),
        sa.Column("credits", sa.Integer(), nullable=False),
        sa.Column("earned", sa.Numeric(), nullable=False),
        sa.Column("batch", sa.BigInteger(), nullable=False),
    )
    op.create_index(
        op.f("ix_progress_history_account_id_version"),
        "progress_history",
        ["account_id", "version"],
        unique=False,
    )
    op.create_index(op.f("ix_progress_history_batch"), "progress_history", ["batch"], unique=False)
    op.create_table(
        "quotas",
        sa.Column("row_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("payee_id", sa.Text(), nullable=False),
        sa.Column("period_id", sa.Text(), nullable=False),
        sa.Column("amount", sa.Numeric(), nullable=False),
        sa.Column("known_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("known_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reference_version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("row_id", name=op.f("pk_quotas")),
    )
    op.create_index(
        "uq_quotas_known",
        "quotas",
        ["payee_id", "period_id"],
        unique=True,
        postgresql_where=sa.text("known_to IS NULL"),
    )
    op.create_table(
        "recredits",
        sa.Column("reference_version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("after_deal", sa.Text(), nullable=False),
        sa.Column("offsets", postgresql.JSON(), nullable=False),
        sa.Column("deals", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("reference_version", name=op.f("pk_recredits")),
    )
    op.create_table(
        "reference_outbox",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("message_type", sa.Text(), nullable=False),
        sa.Column("message_key", sa.Text(), nullable=False),
        sa.Column("message", postgresql.JSON(), nullable=False),
        sa.Column("reference_version", sa.BigInteger(), nullable=False),
        sa.Column(
            "written_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reference_outbox")),
    )
    op.create_table(
        "relay_sent",
        sa.Column("outbox_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("offsets", postgresql.JSON(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("outbox_id", name=op.f("pk_relay_sent")),
    )
    op.create_table(
        "reporting_lines",
        sa.Column("row_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("payee_id", sa.Text(), nullable=False),
        sa.Column("manager_id", sa.Text(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.Column("known_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("known_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reference_version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("row_id", name=op.f("pk_reporting_lines")),
    )
    op.create_index(
        "uq_reporting_lines_known",
        "reporting_lines",
        ["payee_id", "starts_on"],
        unique=True,
        postgresql_where=sa.text("known_to IS NULL"),
    )
    op.create_table(
        "source_records",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("record_key", sa.Text(), nullable=False),
        sa.Column("source_order", sa.Text(), nullable=False),
        sa.Column("content", postgresql.JSON(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("source", "record_key", name=op.f("pk_source_records")),
    )
    op.create_table(
        "source_states",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("complete_through", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("source", "partition", name=op.f("pk_source_states")),
    )
    op.create_table(
        "sources",
        sa.Column("row_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("fields", postgresql.JSON(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("known_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("known_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reference_version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("row_id", name=op.f("pk_sources")),
    )
    op.create_index(
        "uq_sources_known",
        "sources",
        ["source"],
        unique=True,
        postgresql_where=sa.text("known_to IS NULL"),
    )
    op.create_table(
        "statements",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("period_id", sa.Text(), nullable=False),
        sa.Column("payee_id", sa.Text(), nullable=False),
        sa.Column("earned", sa.Numeric(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("line_count", sa.Integer(), nullable=False),
        sa.Column("statement_hash", sa.Text(), nullable=False),
        sa.Column("locked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("frozen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lines", postgresql.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "period_id", name=op.f("pk_statements")),
    )
    op.create_index(op.f("ix_statements_payee_id"), "statements", ["payee_id"], unique=False)
    op.create_table(
        "teams",
        sa.Column("row_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("team_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("lead_id", sa.Text(), nullable=True),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.Column("known_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("known_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reference_version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("row_id", name=op.f("pk_teams")),
    )
    op.create_index(
        "uq_teams_known",
        "teams",
        ["team_id", "starts_on"],
        unique=True,
        postgresql_where=sa.text("known_to IS NULL"),
    )
    op.create_table(
        "territories",
        sa.Column("row_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("territory_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("region", sa.Text(), nullable=True),
        sa.Column("country", sa.Text(), nullable=True),
        sa.Column("known_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("known_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reference_version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("row_id", name=op.f("pk_territories")),
    )
    op.create_index(
        "uq_territories_known",
        "territories",
        ["territory_id"],
        unique=True,
        postgresql_where=sa.text("known_to IS NULL"),
    )
    op.create_table(
        "territory_rules",
        sa.Column("row_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("territory_id", sa.Text(), nullable=False),
        sa.Column("payee_id", sa.Text(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.Column("known_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("known_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reference_version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("row_id", name=op.f("pk_territory_rules")),
    )
    op.create_index(
        "uq_territory_rules_known",
        "territory_rules",
        ["territory_id", "payee_id", "starts_on"],
        unique=True,
        postgresql_where=sa.text("known_to IS NULL"),
    )
    op.create_table(
        "users",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("payee_id", sa.Text(), nullable=True),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("demo", sa.Boolean(), nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_users")),
    )
