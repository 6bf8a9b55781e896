"""Run by alembic; migrates over the connection that batches.migrations.migrate passes in."""

from alembic import context

from batches.store.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
