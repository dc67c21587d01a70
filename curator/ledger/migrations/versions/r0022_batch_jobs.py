"""Batch jobs, and the requests that those which are not settled hold.

Requests of the day are counted without those of jobs, which have a quota of their own: the index
that serves that holds their tier.
"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

BY_PROJECT = ("model", "project", "started_at")


def upgrade() -> None:
    op.create_table(
        "batch_jobs",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("campaign_id", sa.Integer, nullable=False),
        *(
            sa.Column(name, sa.Text, nullable=False)
            for name in ("display_name", "key_fingerprint", "project", "model", "state")
        ),
        *(
            sa.Column(name, sa.Text, nullable=False)
            for name in ("file_name", "job_name", "results_file", "error")
        ),
        *(sa.Column(name, sa.Integer, nullable=False) for name in ("requests", "answered")),
        *(sa.Column(name, sa.Float, nullable=False) for name in ("created_at", "updated_at")),
        sa.Column("ended_at", sa.Float),
        sa.UniqueConstraint("display_name"),
    )
    op.create_index("jobs_by_state", "batch_jobs", ["campaign_id", "state"])
    op.create_table(
        "batch_requests",
        sa.Column("attempt_id", sa.Integer, primary_key=True),
        *(
            sa.Column(name, sa.Integer, nullable=False)
            for name in ("job_id", "campaign_id", "item_id")
        ),
        sa.Column("question", sa.Text),
        sa.Column("own_id", sa.Text, nullable=False),
    )
    op.create_index("requests_by_item", "batch_requests", ["campaign_id", "item_id"])
    op.create_index("requests_by_job", "batch_requests", ["job_id"])
    op.drop_index("attempts_by_project", "attempts")
    op.create_index("attempts_by_project", "attempts", [*BY_PROJECT, "tier"])
