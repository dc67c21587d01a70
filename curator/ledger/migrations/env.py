"""Alembic's entry: migrates the connection that ``curator.ledger.database.opening`` hands over."""

from __future__ import annotations

from alembic import context

from curator.ledger.database.tallies import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
