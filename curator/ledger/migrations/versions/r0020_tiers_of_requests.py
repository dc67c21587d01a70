"""Requests keep the tier that they were asked at, and tokens are tallied by it, for prices go by it."""

import sqlalchemy as sa
from alembic import op

from curator.ledger.migrations.versions.r0017_tokens_by_kind import COUNTS

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

PAYER = ("campaign_id", "model", "model_version", "tier")


def upgrade() -> None:
    op.add_column("attempts", sa.Column("tier", sa.Text, nullable=False, server_default="standard"))
    op.execute("DROP TRIGGER tokens_counted")
    op.drop_table("token_tallies")
    op.create_table(
        "token_tallies",
        sa.Column("campaign_id", sa.Integer, primary_key=True, autoincrement=False),
        *(sa.Column(name, sa.Text, primary_key=True) for name in PAYER[1:]),
        *(sa.Column(name, sa.Integer, nullable=False) for name in COUNTS),
        sqlite_with_rowid=False,
    )
    sums = ", ".join(f"sum({name})" for name in COUNTS)
    op.execute(
        f"INSERT INTO token_tallies SELECT {', '.join(PAYER)}, {sums} FROM attempts "
        "WHERE input_tokens + output_tokens + thought_tokens > 0 GROUP BY 1, 2, 3, 4"
    )
    less = ", ".join(f"{name} = {name} - OLD.{name}" for name in COUNTS)
    more = ", ".join(f"{name} = {name} + excluded.{name}" for name in COUNTS)
    op.execute(
        f"CREATE TRIGGER tokens_counted AFTER UPDATE OF {', '.join(COUNTS)} ON attempts "
        f"WHEN {_any('NEW')} OR {_any('OLD')} BEGIN "
        f"UPDATE token_tallies SET {less} WHERE ({', '.join(PAYER)}) = ({_of('OLD', PAYER)}); "
        f"INSERT INTO token_tallies VALUES ({_of('NEW', (*PAYER, *COUNTS))}) "
        f"ON CONFLICT DO UPDATE SET {more}; END"
    )


def _any(row: str) -> str:
    return f"{row}.input_tokens + {row}.output_tokens + {row}.thought_tokens > 0"


def _of(row: str, columns: tuple[str, ...]) -> str:
    return ", ".join(f"{row}.{name}" for name in columns)
