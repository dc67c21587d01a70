"""People decide about pairs: what they said, and which pairs are in whose hands."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "reviews",
        sa.Column("item_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("question", sa.Text, primary_key=True),
        sa.Column("answer", sa.Text, primary_key=True),
        sa.Column("reviewer", sa.Text, primary_key=True),
        sa.Column("decision", sa.Text, nullable=False),
        sa.Column("correction", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("decided_at", sa.Float, nullable=False),
        sa.Column("drawn", sa.Text, nullable=False),
        sa.Column("drawn_seed", sa.Integer, nullable=False),
        sa.Column("position", sa.Float, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("reviews_by_reviewer", "reviews", ["reviewer", "decided_at"])
    op.create_table(
        "review_leases",
        sa.Column("item_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("question", sa.Text, primary_key=True),
        sa.Column("answer", sa.Text, primary_key=True),
        sa.Column("reviewer", sa.Text, primary_key=True),
        sa.Column("expires_at", sa.Float, nullable=False),
        sa.Column("drawn", sa.Text, nullable=False),
        sa.Column("drawn_seed", sa.Integer, nullable=False),
        sa.Column("position", sa.Float, nullable=False),
        sqlite_with_rowid=False,
    )
