"""Pairs are counted by who adds them, all of a reply at once: each by itself took ten times as long."""

from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for trigger in ("pairs_added", "pair_of_opinion_added"):
        op.execute(f"DROP TRIGGER {trigger}")
