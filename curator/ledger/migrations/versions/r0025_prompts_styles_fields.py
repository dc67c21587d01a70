"""Campaigns keep their prompts whole; pairs keep their style and the further fields of theirs."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("campaigns", sa.Column("prompts", sa.Text, nullable=False, server_default="[]"))
    op.add_column("pairs", sa.Column("style", sa.Text, nullable=False, server_default=""))
    op.add_column("pairs", sa.Column("fields", sa.Text))
