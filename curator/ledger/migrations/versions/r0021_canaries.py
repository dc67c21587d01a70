"""The same questions are asked again each quota day, of each model: canaries."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("campaigns", sa.Column("canaries", sa.Integer, nullable=False, server_default="0"))
    op.add_column("attempts", sa.Column("canary_day", sa.Text))
    op.create_table(
        "canaries",
        sa.Column("campaign_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("place", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("item_id", sa.Integer, nullable=False),
        sa.Column("question", sa.Text, nullable=False),
        sa.UniqueConstraint("campaign_id", "item_id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "canary_answers",
        sa.Column("campaign_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("model", sa.Text, primary_key=True),
        sa.Column("day", sa.Text, primary_key=True),
        sa.Column("item_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("question", sa.Text, nullable=False),
        sa.Column("state", sa.Integer, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("answer", sa.Text, nullable=False),
        sa.Column("is_equal", sa.Integer),
        sa.Column("model_version", sa.Text, nullable=False),
        sa.Column("finished_at", sa.Float, nullable=False),
        sqlite_with_rowid=False,
    )
