"""Requests keep what their reply told of the model's life; replies are counted by who made them.

What kept replies of before told of it stays in their bodies.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

KIND = "campaign_id, model, model_version, model_stage, retires_at"


def upgrade() -> None:
    stage = sa.Column("model_stage", sa.Text, nullable=False, server_default="")
    op.add_column("attempts", stage)
    op.add_column("attempts", sa.Column("retires_at", sa.Float))
    op.create_table(
        "model_tallies",
        sa.Column("campaign_id", sa.Integer, primary_key=True, autoincrement=False),
        *(sa.Column(name, sa.Text, primary_key=True) for name in KIND.split(", ")[1:4]),
        sa.Column("retires_at", sa.Float, primary_key=True, autoincrement=False),
        sa.Column("replies", sa.Integer, nullable=False),
        sa.Column("latest_attempt", sa.Integer, nullable=False),
        sqlite_with_rowid=False,
    )
    op.execute(
        f"INSERT INTO model_tallies SELECT {KIND.replace('retires_at', '0.0')}, count(*), max(id) "
        "FROM attempts WHERE model_version != '' GROUP BY 1, 2, 3, 4"
    )
    op.execute(
        "CREATE TRIGGER model_told AFTER UPDATE OF model_version ON attempts "
        "WHEN NEW.model_version != '' OR OLD.model_version != '' BEGIN "
        "UPDATE model_tallies SET replies = replies - 1 "
        f"WHERE OLD.model_version != '' AND ({KIND}) = ({_kind('OLD')}); "
        f"INSERT INTO model_tallies SELECT {_kind('NEW')}, 1, NEW.id WHERE NEW.model_version != '' "
        "ON CONFLICT DO UPDATE SET replies = replies + 1, "
        "latest_attempt = max(latest_attempt, excluded.latest_attempt); END"
    )


def _kind(row: str) -> str:
    columns = ", ".join(f"{row}.{name}" for name in KIND.split(", ")[:-1])
    return f"{columns}, coalesce({row}.retires_at, 0.0)"
