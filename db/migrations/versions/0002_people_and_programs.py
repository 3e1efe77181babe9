"""What people and programs need: fates of what was sent, acknowledgements, files, keys of POSTs."""

from typing import Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: Final = "0002"
down_revision: Final = "0001"

KNOWN_DEALS: Final = """
UPDATE deals d
   SET search_key = lower(substr(d.deal_id, strpos(d.deal_id, ':') + 1)),
       received_at = coalesce(
           (SELECT min(r.booked_at) FROM deal_revisions r WHERE r.deal_id = d.deal_id), d.booked_at
       )"""


def upgrade() -> None:
    op.create_table(
        "alert_acknowledgements",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("alert_id", sa.Text(), nullable=False),
        sa.Column("raised_on", sa.Date(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("payee_id", sa.Text(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column(
            "written_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_acknowledgements")),
    )
    op.create_index(
        op.f("ix_alert_acknowledgements_alert_id_raised_on"),
        "alert_acknowledgements",
        ["alert_id", "raised_on"],
        unique=False,
    )
    op.create_index(
        op.f("ix_alert_acknowledgements_payee_id"),
        "alert_acknowledgements",
        ["payee_id"],
        unique=False,
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("caller", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("headers", postgresql.JSON(astext_type=sa.Text()), nullable=True),
        sa.Column("body", postgresql.BYTEA(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("caller", "key", name=op.f("pk_idempotency_keys")),
    )
    op.create_index(
        op.f("ix_idempotency_keys_created_at"), "idempotency_keys", ["created_at"], unique=False
    )
    op.create_table(
        "import_files",
        sa.Column("import_id", sa.Text(), nullable=False),
        sa.Column("content", postgresql.BYTEA(), nullable=False),
        sa.Column("errors", postgresql.BYTEA(), nullable=True),
        sa.PrimaryKeyConstraint("import_id", name=op.f("pk_import_files")),
    )
    op.create_table(
        "imports",
        sa.Column("import_id", sa.Text(), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("file_digest", sa.Text(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("mapping_id", sa.Text(), nullable=True),
        sa.Column("mapping", postgresql.JSON(astext_type=sa.Text()), nullable=False),
        sa.Column("is_history", sa.Boolean(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("result", postgresql.JSON(astext_type=sa.Text()), nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("import_id", name=op.f("pk_imports")),
    )
    op.create_index(
        op.f("ix_imports_created_at_import_id"),
        "imports",
        ["created_at", "import_id"],
        unique=False,
    )
    op.create_index(op.f("ix_imports_file_digest"), "imports", ["file_digest"], unique=False)
    op.create_table(
        "postings",
        sa.Column("tracking_id", sa.Text(), nullable=False),
        sa.Column("deal_id", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("posted_by", sa.Text(), nullable=False),
        sa.Column("posted_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tracking_id", name=op.f("pk_postings")),
    )
    op.create_index(op.f("ix_postings_posted_at"), "postings", ["posted_at"], unique=False)
    op.add_column("deals", sa.Column("search_key", sa.Text(), nullable=True))
    op.add_column("deals", sa.Column("customer", sa.Text(), nullable=True))
    op.add_column("deals", sa.Column("received_at", sa.DateTime(timezone=True), nullable=True))
    op.execute(KNOWN_DEALS)
    op.create_index(
        op.f("ix_deals_received_at_deal_id"), "deals", ["received_at", "deal_id"], unique=False
    )
    op.create_index(
        op.f("ix_deals_search_key"),
        "deals",
        ["search_key"],
        unique=False,
        postgresql_ops={"search_key": "text_pattern_ops"},
    )
    op.execute("DELETE FROM mappings")  # nothing wrote it yet
    op.add_column("mappings", sa.Column("name", sa.Text(), nullable=False))
    op.add_column(
        "mappings", sa.Column("document", postgresql.JSON(astext_type=sa.Text()), nullable=False)
    )
    op.drop_column("mappings", "columns")
    op.create_index(op.f("ix_notes_subject"), "notes", ["subject"], unique=False)
    for column in ("search_key", "received_at"):
        op.alter_column("deals", column, nullable=False)


def downgrade() -> None:
    raise NotImplementedError("facts are append-only: restore a backup instead")
