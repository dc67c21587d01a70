"""Queues keep an order, refusals' limits their age, and what `curator status` counts is tallied."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

LIMITS = ("rpm", "tpm", "rpd")
KIND = "campaign_id, key_fingerprint, outcome, ending, form, rejection, drafts, second_opinion"
COUNTS = ("requests", "input_tokens", "output_tokens", "thought_tokens")


def upgrade() -> None:
    op.add_column("campaigns", sa.Column("shuffle_seed", sa.Integer))
    op.add_column("work", sa.Column("rank", sa.Integer, nullable=False, server_default="0"))
    op.execute("UPDATE work SET rank = item_id")
    op.drop_index("work_by_state", "work")
    op.create_index("work_by_state", "work", ["campaign_id", "state", "rank"])
    _give_learned_limits_a_table()
    _tally_attempts()
    _tally_pairs()


def _give_learned_limits_a_table() -> None:
    op.create_table(
        "learned_limits",
        sa.Column("project", sa.Text, primary_key=True),
        sa.Column("model", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("value", sa.Integer, nullable=False),
        sa.Column("stated", sa.Integer),
        sa.Column("learned_at", sa.Float, nullable=False),
        sqlite_with_rowid=False,
    )
    for name in LIMITS:
        # What was stated when the limit was learned is taken to be what the last run stated.
        op.execute(
            "INSERT INTO learned_limits "
            f"SELECT project, model, '{name}', learned_{name}, "
            f"(SELECT max({name}) FROM keys WHERE keys.project = projects.project), updated_at "
            f"FROM projects WHERE learned_{name} IS NOT NULL"
        )
        op.drop_column("projects", f"learned_{name}")


def _tally_attempts() -> None:
    text = ("key_fingerprint", "outcome", "ending", "form", "rejection")
    op.create_table(
        "attempt_tallies",
        sa.Column("campaign_id", sa.Integer, primary_key=True, autoincrement=False),
        *(sa.Column(name, sa.Text, primary_key=True) for name in text),
        sa.Column("drafts", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("second_opinion", sa.Integer, primary_key=True, autoincrement=False),
        *(sa.Column(name, sa.Integer, nullable=False) for name in COUNTS),
        sqlite_with_rowid=False,
    )
    kinds = KIND.replace("second_opinion", "question IS NOT NULL")
    op.execute(
        f"INSERT INTO attempt_tallies SELECT {kinds}, count(*), "
        "sum(input_tokens), sum(output_tokens), sum(thought_tokens) "
        f"FROM attempts GROUP BY {kinds}"
    )
    op.execute(f"CREATE TRIGGER attempt_begun AFTER INSERT ON attempts BEGIN {_add('NEW')} END")
    op.execute(f"CREATE TRIGGER attempt_left AFTER DELETE ON attempts BEGIN {_take('OLD')} END")
    op.execute(
        "CREATE TRIGGER attempt_changed AFTER UPDATE ON attempts "
        f"BEGIN {_take('OLD')} {_add('NEW')} END"
    )


def _add(row: str) -> str:
    more = ", ".join(f"{name} = {name} + excluded.{name}" for name in COUNTS)
    return (
        f"INSERT INTO attempt_tallies ({KIND}, {', '.join(COUNTS)}) "
        f"VALUES ({_kind(row)}, 1, {_tokens(row)}) ON CONFLICT DO UPDATE SET {more};"
    )


def _take(row: str) -> str:
    tokens = ", ".join(f"{name} = {name} - {row}.{name}" for name in COUNTS[1:])
    return (
        f"UPDATE attempt_tallies SET requests = requests - 1, {tokens} "
        f"WHERE ({KIND}) = ({_kind(row)});"
    )


def _kind(row: str) -> str:
    columns = ", ".join(f"{row}.{name}" for name in KIND.split(", ")[:-1])
    return f"{columns}, {row}.question IS NOT NULL"


def _tokens(row: str) -> str:
    return ", ".join(f"{row}.{name}" for name in COUNTS[1:])


def _tally_pairs() -> None:
    op.create_table(
        "pair_tallies",
        sa.Column("campaign_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("rule", sa.Text, primary_key=True),
        sa.Column("pairs", sa.Integer, nullable=False),
        sqlite_with_rowid=False,
    )
    op.execute("INSERT INTO pair_tallies SELECT campaign_id, '', count(*) FROM pairs GROUP BY 1")
    op.execute(
        "INSERT INTO pair_tallies "
        "SELECT campaign_id, rule, count(*) FROM rejected_pairs GROUP BY 1, 2"
    )
    for table, rule in (("pairs", "''"), ("rejected_pairs", "{}.rule")):
        op.execute(
            f"CREATE TRIGGER {table}_added AFTER INSERT ON {table} BEGIN "
            f"INSERT INTO pair_tallies VALUES (NEW.campaign_id, {rule.format('NEW')}, 1) "
            "ON CONFLICT DO UPDATE SET pairs = pairs + 1; END"
        )
        op.execute(
            f"CREATE TRIGGER {table}_left AFTER DELETE ON {table} BEGIN "
            "UPDATE pair_tallies SET pairs = pairs - 1 "
            f"WHERE campaign_id = OLD.campaign_id AND rule = {rule.format('OLD')}; END"
        )
