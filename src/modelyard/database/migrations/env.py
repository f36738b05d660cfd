"""What Alembic runs: migrations on the connection that `apply.upgrade` hands over."""

from alembic import context

from modelyard.database.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # The caller's transaction holds the lock against a second migration, and commits all or nothing.
    transaction_per_migration=False,
)
context.run_migrations()
