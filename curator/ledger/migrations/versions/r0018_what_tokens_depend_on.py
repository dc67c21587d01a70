"""Requests keep what their tokens depend on: texts, image, and how the model is asked."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("characters", "longest_px"):
        op.add_column("attempts", sa.Column(name, sa.Integer, nullable=False, server_default="0"))
    for name in ("thinking", "image_detail"):
        op.add_column("attempts", sa.Column(name, sa.Text, nullable=False, server_default=""))
