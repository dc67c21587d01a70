"""The tables that people who look at pairs write, beside a run; see ``tables`` for all others."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Column, Float, Index, Integer, MetaData, Table, Text

METADATA: Final = MetaData()
"""What all tables of a ledger belong to."""

# What people say of pairs, by image, question and answer: whatever is asked or judged again, a
# verdict stays with what it was about. ``drawn`` is the order in which the pair came to the person,
# ``position`` where in the random order of ``drawn_seed`` it stands.
reviews = Table(
    "reviews",
    METADATA,
    Column("item_id", Integer, primary_key=True, autoincrement=False),
    Column("question", Text, primary_key=True),
    Column("answer", Text, primary_key=True),
    Column("reviewer", Text, primary_key=True),
    Column("decision", Text, nullable=False),
    Column("correction", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("decided_at", Float, nullable=False),
    Column("drawn", Text, nullable=False),
    Column("drawn_seed", Integer, nullable=False),
    Column("position", Float, nullable=False),
    Index("reviews_by_reviewer", "reviewer", "decided_at"),
    sqlite_with_rowid=False,
)

# Which pairs are in whose hands, and until when.
review_leases = Table(
    "review_leases",
    METADATA,
    Column("item_id", Integer, primary_key=True, autoincrement=False),
    Column("question", Text, primary_key=True),
    Column("answer", Text, primary_key=True),
    Column("reviewer", Text, primary_key=True),
    Column("expires_at", Float, nullable=False),
    Column("drawn", Text, nullable=False),
    Column("drawn_seed", Integer, nullable=False),
    Column("position", Float, nullable=False),
    sqlite_with_rowid=False,
)
