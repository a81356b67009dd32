"""Applies the revisions with alembic, in the transaction of the caller."""

from __future__ import annotations

from alembic import context

from tallylens.cloud_fallback.jobs.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite cannot alter a table: a new one replaces it.
    render_as_batch=True,
    compare_type=True,
    compare_server_default=True,
)
with context.begin_transaction():
    context.run_migrations()
