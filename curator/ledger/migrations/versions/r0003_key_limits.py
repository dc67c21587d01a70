"""Keys remember the limits that were stated for them; what an item's reply lost is found by item."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("rpm", "tpm", "rpd"):
        op.add_column("keys", sa.Column(name, sa.Integer))
    op.create_index("rejected_by_item", "rejected_pairs", ["campaign_id", "item_id"])
