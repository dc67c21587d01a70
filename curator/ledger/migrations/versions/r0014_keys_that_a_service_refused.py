"""A key is known to have failed for good by what a service said, with a request or by a look."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    column = sa.Column("failed_for_good", sa.Integer, nullable=False, server_default="0")
    op.add_column("keys", column)
    op.execute(
        "UPDATE keys SET failed_for_good = 1 "
        "WHERE removed_because NOT IN ('', 'not among the keys of the last run') "
        "AND fingerprint IN (SELECT key_fingerprint FROM attempt_tallies "
        "WHERE outcome = 'invalid_key' AND requests > 0)"
    )
