"""A held share knows whose key it is; whom a deal names finds it also when others are credited."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0004"
down_revision: Final = "0003"

HELD_BY_ANOTHER_SOURCE: Final = """
UPDATE holds h SET source = split_part(n.name, ':', 1)
  FROM deals d, unnest(d.named) n(name)
 WHERE d.deal_id = h.deal_id AND h.payee_key IS NOT NULL
   AND NOT (h.source || ':' || h.payee_key = ANY(d.named))
   AND substr(n.name, strpos(n.name, ':') + 1) = h.payee_key"""


def upgrade() -> None:
    op.execute(HELD_BY_ANOTHER_SOURCE)
    op.drop_index(op.f("ix_deals_named"), "deals")
    op.create_index(
        op.f("ix_deals_named"),
        "deals",
        ["named"],
        unique=False,
        postgresql_using="gin",
        postgresql_where=sa.text(
            "named <> '{}'::text[] AND (outcome <> 'credited'::text OR cardinality(named) > 1)"
        ),
    )


def downgrade() -> None:
    raise NotImplementedError("facts are append-only: restore a backup instead")
