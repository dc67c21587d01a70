"""The first ledger: sources, items, campaigns, work, attempts, replies, pairs, keys, projects."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _make_catalogue()
    _make_campaigns()
    _make_attempts()
    _make_pairs()
    _make_keys()


def _make_catalogue() -> None:
    op.create_table(
        "sources",
        sa.Column("path", sa.Text, primary_key=True),
        sa.Column("fingerprint", sa.Text),
        sa.Column("images_dir", sa.Text, nullable=False),
        sa.Column("imported_at", sa.Float, nullable=False),
    )
    op.create_table(
        "items",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("listing_id", sa.Text, nullable=False),
        sa.Column("image_id", sa.Text, nullable=False),
        sa.Column("image_path", sa.Text, nullable=False, unique=True),
        sa.Column("metadata", sa.Text, nullable=False),
    )


def _make_campaigns() -> None:
    op.create_table(
        "campaigns",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("prompt_version", sa.Text, nullable=False),
        sa.Column("questions", sa.Integer, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.UniqueConstraint("model", "prompt_version", "questions"),
    )
    op.create_table(
        "work",
        sa.Column("campaign_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("item_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("state", sa.Integer, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("finished_at", sa.Float),
        sqlite_with_rowid=False,
    )
    op.create_index("work_by_state", "work", ["campaign_id", "state", "item_id"])


def _make_attempts() -> None:
    op.create_table(
        "attempts",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("campaign_id", sa.Integer, nullable=False),
        sa.Column("item_id", sa.Integer, nullable=False),
        sa.Column("key_fingerprint", sa.Text, nullable=False),
        sa.Column("project", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("started_at", sa.Float, nullable=False),
        sa.Column("reserved_tokens", sa.Integer, nullable=False),
        sa.Column("finished_at", sa.Float),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("input_tokens", sa.Integer, nullable=False),
        sa.Column("output_tokens", sa.Integer, nullable=False),
        sa.Column("thought_tokens", sa.Integer, nullable=False),
    )
    op.create_index("attempts_by_project", "attempts", ["model", "project", "started_at"])
    op.create_index("attempts_by_campaign", "attempts", ["campaign_id", "finished_at"])
    op.create_table(
        "replies",
        sa.Column("attempt_id", sa.Integer, primary_key=True),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )


def _make_pairs() -> None:
    op.create_table(
        "pairs",
        sa.Column("campaign_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("item_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("question", sa.Text, nullable=False),
        sa.Column("answer", sa.Text, nullable=False),
        sa.Column("difficulty", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "rejected_pairs",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("campaign_id", sa.Integer, nullable=False),
        sa.Column("item_id", sa.Integer, nullable=False),
        sa.Column("attempt_id", sa.Integer, nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("question", sa.Text, nullable=False),
        sa.Column("answer", sa.Text, nullable=False),
    )
    op.create_index("rejected_by_rule", "rejected_pairs", ["campaign_id", "rule"])


def _make_keys() -> None:
    op.create_table(
        "keys",
        sa.Column("fingerprint", sa.Text, primary_key=True),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("project", sa.Text, nullable=False),
        sa.Column("removed_because", sa.Text, nullable=False),
        sa.Column("updated_at", sa.Float, nullable=False),
    )
    op.create_table(
        "projects",
        sa.Column("project", sa.Text, primary_key=True),
        sa.Column("model", sa.Text, primary_key=True),
        sa.Column("blocked_until", sa.Float, nullable=False),
        sa.Column("blocked_window", sa.Text, nullable=False),
        sa.Column("probe_at", sa.Float),
        sa.Column("learned_rpm", sa.Integer),
        sa.Column("learned_tpm", sa.Integer),
        sa.Column("learned_rpd", sa.Integer),
        sa.Column("updated_at", sa.Float, nullable=False),
    )
