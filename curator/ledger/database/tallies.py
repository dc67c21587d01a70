"""The ledger's tallies: tables of counts, since counting millions of rows takes seconds.

Triggers keep them, which the migrations that made them hold. Only pairs that are added are counted
by who adds them, those of a reply at once (``curator.ledger.writing.inbox``), and by ``curator
repair``. A change here needs a migration too.
"""

from __future__ import annotations

from sqlalchemy import Column, Float, Integer, Table, Text

from curator.ledger.database.tables import METADATA

__all__ = ["METADATA"]

# ``model`` is the one that was asked for.
attempt_tallies = Table(
    "attempt_tallies",
    METADATA,
    Column("campaign_id", Integer, primary_key=True, autoincrement=False),
    Column("model", Text, primary_key=True),
    Column("key_fingerprint", Text, primary_key=True),
    Column("outcome", Text, primary_key=True),
    Column("ending", Text, primary_key=True),
    Column("form", Text, primary_key=True),
    Column("rejection", Text, primary_key=True),
    Column("drafts", Integer, primary_key=True, autoincrement=False),
    Column("second_opinion", Integer, primary_key=True, autoincrement=False),
    Column("requests", Integer, nullable=False),
    sqlite_with_rowid=False,
)

# By the model that was asked for, what the reply calls its own, and the tier: prices go by all.
token_tallies = Table(
    "token_tallies",
    METADATA,
    Column("campaign_id", Integer, primary_key=True, autoincrement=False),
    Column("model", Text, primary_key=True),
    Column("model_version", Text, primary_key=True),
    Column("tier", Text, primary_key=True),
    Column("input_tokens", Integer, nullable=False),
    Column("output_tokens", Integer, nullable=False),
    Column("thought_tokens", Integer, nullable=False),
    Column("cached_tokens", Integer, nullable=False),
    Column("image_tokens", Integer, nullable=False),
    sqlite_with_rowid=False,
)

# The replies that name their model; ``retires_at`` is 0 where they tell no end.
model_tallies = Table(
    "model_tallies",
    METADATA,
    Column("campaign_id", Integer, primary_key=True, autoincrement=False),
    Column("model", Text, primary_key=True),
    Column("model_version", Text, primary_key=True),
    Column("model_stage", Text, primary_key=True),
    Column("retires_at", Float, primary_key=True, autoincrement=False),
    Column("replies", Integer, nullable=False),
    # The latest of those requests, which tells what counts now.
    Column("latest_attempt", Integer, nullable=False),
    sqlite_with_rowid=False,
)

# ``rule`` is the one that rejected, empty for the pairs that none did; ``model`` is the one that
# made them, empty where that is not known.
pair_tallies = Table(
    "pair_tallies",
    METADATA,
    Column("campaign_id", Integer, primary_key=True, autoincrement=False),
    Column("rule", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("pairs", Integer, nullable=False),
    sqlite_with_rowid=False,
)

work_tallies = Table(
    "work_tallies",
    METADATA,
    Column("campaign_id", Integer, primary_key=True, autoincrement=False),
    Column("state", Integer, primary_key=True, autoincrement=False),
    Column("items", Integer, nullable=False),
    sqlite_with_rowid=False,
)

# Of the opinions whose pair is still there.
opinion_tallies = Table(
    "opinion_tallies",
    METADATA,
    Column("campaign_id", Integer, primary_key=True, autoincrement=False),
    Column("state", Integer, primary_key=True, autoincrement=False),
    Column("agrees", Integer, primary_key=True, autoincrement=False),
    Column("pairs", Integer, nullable=False),
    sqlite_with_rowid=False,
)
