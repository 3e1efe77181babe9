"""Whom a deal names, so that he finds it also when nothing is credited; refusals by their deal."""

from typing import Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: Final = "0003"
down_revision: Final = "0002"

KNOWN_DEALS: Final = """
UPDATE deals d
   SET named = coalesce(
       (SELECT array_agg(DISTINCT (f -> 'seen' ->> 0) || ':' || k.key)
          FROM json_array_elements(d.state -> 'facets') f,
       LATERAL (SELECT f -> 'content' ->> 'owner_key' AS key
                 UNION
                SELECT s ->> 'payee_key'
                  FROM json_array_elements(coalesce(f -> 'content' -> 'splits', '[]')) s) k
         WHERE k.key IS NOT NULL), '{}')"""


def upgrade() -> None:
    op.add_column("deals", sa.Column("named", postgresql.ARRAY(sa.Text()), nullable=True))
    op.execute(KNOWN_DEALS)
    op.alter_column("deals", "named", nullable=False)
    op.create_index(
        op.f("ix_deals_named"),
        "deals",
        ["named"],
        unique=False,
        postgresql_using="gin",
        postgresql_where=sa.text("outcome <> 'credited'::text AND named <> '{}'::text[]"),
    )
    op.create_index(op.f("ix_dead_letters_source_key"), "dead_letters", ["source_key"])


def downgrade() -> None:
    raise NotImplementedError("facts are append-only: restore a backup instead")
