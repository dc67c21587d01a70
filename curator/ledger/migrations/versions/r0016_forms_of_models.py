"""In which form a model is asked is kept: some take no JSON mode."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "model_forms",
        sa.Column("annotator", sa.Text, primary_key=True),
        sa.Column("model", sa.Text, primary_key=True),
        sa.Column("form", sa.Text, nullable=False),
        sa.Column("told_at", sa.Float, nullable=False),
        sqlite_with_rowid=False,
    )
