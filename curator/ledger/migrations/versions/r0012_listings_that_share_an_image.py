"""All listings that have an image are kept; catalogues are read once more for them."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "other_listings",
        sa.Column("item_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("listing_id", sa.Text, primary_key=True),
        sa.Column("product", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.execute("UPDATE sources SET fingerprint = NULL")
