"""A held share keeps its name while other shares of its deal are released."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "0005"
down_revision: Final = "0004"

# As schemas.state.named_shares gives them.
NAMES: Final = """
UPDATE holds h SET share = n.share
  FROM (SELECT deal_id, ordinal,
               role || ':' || row_number() OVER (PARTITION BY deal_id, role, coalesce(payee_key, '')
                                                 ORDER BY ordinal)
                    || ':' || coalesce(payee_key, '') AS share
          FROM holds) n
 WHERE n.deal_id = h.deal_id AND n.ordinal = h.ordinal"""


def upgrade() -> None:
    op.add_column("holds", sa.Column("share", sa.Text(), nullable=True))
    op.execute(NAMES)
    op.drop_constraint(op.f("pk_holds"), "holds")
    op.alter_column("holds", "share", nullable=False)
    op.create_primary_key(op.f("pk_holds"), "holds", ["deal_id", "share"])
    op.drop_column("holds", "ordinal")


def downgrade() -> None:
    raise NotImplementedError("facts are append-only: restore a backup instead")
