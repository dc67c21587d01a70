"""Alembic migrations of the ledger, run by ``curator.ledger.database.opening``."""
