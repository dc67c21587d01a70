"""Items remember the product that their listing is a variant of."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("items", sa.Column("product", sa.Text, nullable=False, server_default=""))
