"""Pairs remember whether they agree with the listing; those written before say nothing."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("pairs", sa.Column("agreement", sa.Text, nullable=False, server_default=""))
