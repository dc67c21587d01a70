"""Settings that models refused are remembered, as forms are."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "model_settings",
        *(sa.Column(name, sa.Text, primary_key=True) for name in ("annotator", "model", "setting")),
        sa.Column("told_at", sa.Float, nullable=False),
        sqlite_with_rowid=False,
    )
