"""Alembic's entry: by the connection that db/migrate.py gives, or one of its own."""

import sqlalchemy as sa
from alembic import context

from db.migrate import engine
from db.tables import metadata
from schemas.settings import Settings


def run(connection: sa.Connection) -> None:
    """All revisions in one transaction: a migration happens or does not."""
    context.configure(
        connection=connection,
        target_metadata=metadata,
        compare_type=True,
        compare_server_default=True,
    )
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    with engine(Settings.from_environment()).connect() as own:
        run(own)
