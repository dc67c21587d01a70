"""A key that failed for good stays out from now on; what failed before may have been no key's fault."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "UPDATE keys SET removed_because = '' "
        "WHERE removed_because != 'not among the keys of the last run'"
    )
