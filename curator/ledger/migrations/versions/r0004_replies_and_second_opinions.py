"""Attempts say what kind of reply came; pairs get second opinions; campaigns name their annotator."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

WORDS = ("ending", "form", "rejection")


def upgrade() -> None:
    for name in WORDS:
        op.add_column("attempts", sa.Column(name, sa.Text, nullable=False, server_default=""))
    op.add_column("attempts", sa.Column("drafts", sa.Integer, nullable=False, server_default="0"))
    op.add_column("attempts", sa.Column("question", sa.Text))
    op.create_table(
        "second_opinions",
        sa.Column("campaign_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("item_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("question", sa.Text, primary_key=True),
        sa.Column("state", sa.Integer, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("answer", sa.Text, nullable=False),
        sa.Column("agrees", sa.Integer, nullable=False),
        sa.Column("finished_at", sa.Float),
        sqlite_with_rowid=False,
    )
    op.create_index("opinions_by_state", "second_opinions", ["campaign_id", "state", "item_id"])
    # A constraint without a name can only be changed by making the table anew.
    op.rename_table("campaigns", "old_campaigns")
    op.create_table(
        "campaigns",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("annotator", sa.Text, nullable=False, server_default="gemini"),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("prompt_version", sa.Text, nullable=False),
        sa.Column("questions", sa.Integer, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.UniqueConstraint("annotator", "model", "prompt_version", "questions"),
    )
    columns = "id, model, prompt_version, questions, created_at"
    op.execute(f"INSERT INTO campaigns ({columns}) SELECT {columns} FROM old_campaigns")
    op.drop_table("old_campaigns")
