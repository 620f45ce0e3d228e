"""What Alembic runs: the steps that a database lacks, on the connection and in the transaction that it is handed."""

from __future__ import annotations

from alembic import context

from services.gateway.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,  # SQLite alters a table by making it anew
)
with context.begin_transaction():
    context.run_migrations()
