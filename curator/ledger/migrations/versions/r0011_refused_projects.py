"""Why a project is not served for a model at all is kept: no quota, no money, a closed model."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    column = sa.Column("refused_because", sa.Text, nullable=False, server_default="")
    op.add_column("projects", column)
