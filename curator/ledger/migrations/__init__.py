"""Alembic migrations of the ledger, run by ``curator.ledger.opening``."""
