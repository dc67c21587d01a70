"""Tokens are tallied by kind, by the model that was asked for and the one that answered.

What kept replies of before told of cached tokens and images stays in their bodies.
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

REQUEST_KIND = (
    "campaign_id, model, key_fingerprint, outcome, ending, form, rejection, drafts, second_opinion"
)
PAYER = "campaign_id, model, model_version"
COUNTS = ("input_tokens", "output_tokens", "thought_tokens", "cached_tokens", "image_tokens")
REQUEST_TRIGGERS = ("attempt_begun", "attempt_left", "attempt_changed")


def upgrade() -> None:
    for name in COUNTS[3:]:
        op.add_column("attempts", sa.Column(name, sa.Integer, nullable=False, server_default="0"))
    _tally_requests_alone()
    _tally_tokens()


def _tally_requests_alone() -> None:
    for trigger in REQUEST_TRIGGERS:
        op.execute(f"DROP TRIGGER {trigger}")
    for name in COUNTS[:3]:
        op.execute(f"ALTER TABLE attempt_tallies DROP COLUMN {name}")
    begun, left, changed = REQUEST_TRIGGERS
    op.execute(f"CREATE TRIGGER {begun} AFTER INSERT ON attempts BEGIN {_add()} END")
    op.execute(f"CREATE TRIGGER {left} AFTER DELETE ON attempts BEGIN {_take()} END")
    op.execute(f"CREATE TRIGGER {changed} AFTER UPDATE ON attempts BEGIN {_take()} {_add()} END")


def _add() -> str:
    return (
        f"INSERT INTO attempt_tallies ({REQUEST_KIND}, requests) VALUES ({_request_kind('NEW')}, 1) "
        "ON CONFLICT DO UPDATE SET requests = requests + 1;"
    )


def _take() -> str:
    return (
        "UPDATE attempt_tallies SET requests = requests - 1 "
        f"WHERE ({REQUEST_KIND}) = ({_request_kind('OLD')});"
    )


def _request_kind(row: str) -> str:
    columns = ", ".join(f"{row}.{name}" for name in REQUEST_KIND.split(", ")[:-1])
    return f"{columns}, {row}.question IS NOT NULL"


def _tally_tokens() -> None:
    op.create_table(
        "token_tallies",
        sa.Column("campaign_id", sa.Integer, primary_key=True, autoincrement=False),
        *(sa.Column(name, sa.Text, primary_key=True) for name in PAYER.split(", ")[1:]),
        *(sa.Column(name, sa.Integer, nullable=False) for name in COUNTS),
        sqlite_with_rowid=False,
    )
    sums = ", ".join(f"sum({name})" for name in COUNTS)
    op.execute(
        f"INSERT INTO token_tallies SELECT {PAYER}, {sums} FROM attempts "
        "WHERE input_tokens + output_tokens + thought_tokens > 0 GROUP BY 1, 2, 3"
    )
    less = ", ".join(f"{name} = {name} - OLD.{name}" for name in COUNTS)
    more = ", ".join(f"{name} = {name} + excluded.{name}" for name in COUNTS)
    op.execute(
        f"CREATE TRIGGER tokens_counted AFTER UPDATE OF {', '.join(COUNTS)} ON attempts "
        f"WHEN {_any('NEW')} OR {_any('OLD')} BEGIN "
        f"UPDATE token_tallies SET {less} WHERE ({PAYER}) = ({_of('OLD', PAYER.split(', '))}); "
        f"INSERT INTO token_tallies VALUES ({_of('NEW', (*PAYER.split(', '), *COUNTS))}) "
        f"ON CONFLICT DO UPDATE SET {more}; END"
    )


def _any(row: str) -> str:
    return f"{row}.input_tokens + {row}.output_tokens + {row}.thought_tokens > 0"


def _of(row: str, columns: tuple[str, ...] | list[str]) -> str:
    return ", ".join(f"{row}.{name}" for name in columns)
