"""A campaign keeps what its latest run may spend, so that whoever looks at it is told."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("campaigns", sa.Column("budget_usd", sa.Float))
    op.add_column("campaigns", sa.Column("budget_tokens", sa.Integer))
