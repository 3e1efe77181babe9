"""The first tables."""

from typing import Final

from alembic import op

from db import hypertables
from db.tables import metadata

revision: Final = "0001"
down_revision: Final = None


def upgrade() -> None:
    connection = op.get_bind()
    metadata.create_all(connection)
    hypertables.create(connection)
    for name in ("tokens", "batch_numbers", "lease_tokens"):
        op.execute(f"CREATE SEQUENCE {name}")


def downgrade() -> None:
    raise NotImplementedError("facts are append-only: restore a backup instead")
