"""Several pictures of one listing go along in one request; pairs name the one they need."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # By their plain statements, for the tables are large, and triggers hang on them.
    op.add_column("work", sa.Column("asked_with", sa.Integer))
    op.add_column("attempts", sa.Column("views", sa.Text, nullable=False, server_default=""))
    op.create_index(
        "work_along", "work", ["asked_with"], sqlite_where=sa.text("asked_with IS NOT NULL")
    )
