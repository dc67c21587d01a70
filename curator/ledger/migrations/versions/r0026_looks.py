"""How images look is kept, so that near-identical ones can be asked about once."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "looks",
        sa.Column("item_id", sa.Integer, primary_key=True),
        sa.Column("hash", sa.Integer),
        sa.Column("thumbnail", sa.LargeBinary),
    )
