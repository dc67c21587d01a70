"""A campaign may ask several models, in order of preference, each with limits of its own."""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE campaigns RENAME COLUMN model TO models")
    op.execute("UPDATE campaigns SET models = json_array(json_object('name', models))")
