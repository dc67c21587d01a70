"""A campaign is a prompt and its questions; the model belongs to each request and each pair.

Campaigns that differed by model or service alone are joined. Of an image that several models
answered, the pairs of the newest reply stay; all replies do.
"""

import json
import zlib
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

LONGEST_MODEL = 200
KIND = (
    "campaign_id, model, key_fingerprint, outcome, ending, form, rejection, drafts, second_opinion"
)
COUNTS = ("requests", "input_tokens", "output_tokens", "thought_tokens")
MODEL_OF = (
    "coalesce((SELECT iif(model_version = '', model, model_version) "
    "FROM attempts WHERE id = {}.attempt_id), '')"
)
FIRST = "(state = 1) * 2 + (state = 0)"
"""Of an item's rows in two campaigns: done before waiting, waiting before given up."""


def upgrade() -> None:
    for trigger in ("attempt_begun", "attempt_left", "attempt_changed"):
        op.execute(f"DROP TRIGGER {trigger}")
    for table in ("pairs", "rejected_pairs"):
        op.execute(f"DROP TRIGGER {table}_added")
        op.execute(f"DROP TRIGGER {table}_left")
    _say_who_was_asked()
    _say_which_request_brought_a_pair()
    _join_campaigns()
    op.execute("DROP TABLE makers")
    _give_campaigns_their_new_key()
    _tally_attempts()
    _tally_pairs()


def _say_who_was_asked() -> None:
    for name, default in (("annotator", "gemini"), ("model_version", "")):
        column = sa.Column(name, sa.Text, nullable=False, server_default=default)
        op.add_column("attempts", column)
    op.execute(
        "UPDATE attempts SET annotator = c.annotator FROM campaigns AS c "
        "WHERE c.id = campaign_id AND c.annotator != 'gemini'"
    )
    database: Any = op.get_bind().connection.dbapi_connection
    database.create_function("named_model", 1, _named_model, deterministic=True)
    op.execute(
        "UPDATE attempts SET model_version = named_model(body) FROM replies "
        "WHERE replies.attempt_id = attempts.id"
    )


def _named_model(body: bytes) -> str:
    """Return what a kept reply calls its model; empty where it names none."""
    try:
        reply = json.loads(zlib.decompress(body))
    except (ValueError, RecursionError, zlib.error):
        return ""
    name = (reply.get("modelVersion") or reply.get("model")) if isinstance(reply, dict) else ""
    return name.encode(errors="replace").decode()[:LONGEST_MODEL] if isinstance(name, str) else ""


def _say_which_request_brought_a_pair() -> None:
    op.add_column("pairs", sa.Column("attempt_id", sa.Integer, nullable=False, server_default="0"))
    op.execute(
        "CREATE TEMP TABLE makers (campaign_id INTEGER, item_id INTEGER, attempt_id INTEGER, "
        "PRIMARY KEY (campaign_id, item_id)) WITHOUT ROWID"
    )
    op.execute(
        "INSERT INTO makers SELECT campaign_id, item_id, "
        "coalesce(max(iif(outcome = 'answered', id, NULL)), max(id)) FROM attempts "
        "WHERE question IS NULL AND outcome IN ('answered', 'unusable') GROUP BY 1, 2"
    )
    op.execute(
        "UPDATE pairs SET attempt_id = makers.attempt_id FROM makers "
        "WHERE makers.campaign_id = pairs.campaign_id AND makers.item_id = pairs.item_id"
    )


def _join_campaigns() -> None:
    rows = op.get_bind().execute(
        sa.text(
            "SELECT kept, id FROM (SELECT id, min(id) OVER (PARTITION BY prompt_version, questions) "
            "AS kept FROM campaigns) WHERE id != kept ORDER BY id"
        )
    )
    for kept, other in rows.all():
        _join(kept, other)


def _join(kept: int, other: int) -> None:
    """Move all of the campaign ``other`` to ``kept``; the tallies of work and opinions follow."""
    op.execute(f"CREATE TEMP TABLE moved AS {_items_to_move(kept, other)}")
    op.execute("CREATE INDEX temp.moved_by_item ON moved (item_id)")
    for table in ("pairs", "second_opinions"):
        moved = f"campaign_id = {kept} AND item_id IN (SELECT item_id FROM moved)"
        op.execute(f"DELETE FROM {table} WHERE {moved}")
    _move_work(kept, other)
    for table, columns in (
        ("pairs", "item_id, position, question, answer, difficulty, agreement, attempt_id"),
        (
            "second_opinions",
            "item_id, question, state, attempts, reason, answer, agrees, finished_at",
        ),
        ("makers", "item_id, attempt_id"),
    ):
        op.execute(
            f"INSERT OR REPLACE INTO {table} (campaign_id, {columns}) SELECT {kept}, {columns} "
            f"FROM {table} WHERE campaign_id = {other} AND item_id IN (SELECT item_id FROM moved)"
        )
        op.execute(f"DELETE FROM {table} WHERE campaign_id = {other}")
    for table in ("attempts", "rejected_pairs"):
        op.execute(f"UPDATE {table} SET campaign_id = {kept} WHERE campaign_id = {other}")
    op.execute(f"DELETE FROM campaigns WHERE id = {other}")
    last = f"FROM attempts WHERE campaign_id = {kept} ORDER BY id DESC LIMIT 1"
    op.execute(
        f"UPDATE campaigns SET (model, annotator) = (SELECT model, annotator {last}) "
        f"WHERE id = {kept} AND EXISTS (SELECT 1 {last})"
    )
    op.execute("DROP TABLE moved")


def _items_to_move(kept: int, other: int) -> str:
    """Return the query for the items whose row, pairs and opinions of ``other`` shall stay."""
    mine, theirs = FIRST.replace("state", "k.state"), FIRST.replace("state", "o.state")
    return (
        "SELECT o.item_id FROM work AS o "
        f"LEFT JOIN work AS k ON k.campaign_id = {kept} AND k.item_id = o.item_id "
        f"LEFT JOIN makers AS m ON m.campaign_id = {kept} AND m.item_id = o.item_id "
        f"LEFT JOIN makers AS n ON n.campaign_id = {other} AND n.item_id = o.item_id "
        f"WHERE o.campaign_id = {other} AND (k.item_id IS NULL OR {theirs} > {mine} OR "
        "(o.state = 1 AND k.state = 1 AND "
        "coalesce(n.attempt_id, 0) > coalesce(m.attempt_id, 0)))"
    )


def _move_work(kept: int, other: int) -> None:
    """An item keeps its place in the queue; what only ``other`` has queues behind."""
    op.execute(
        "UPDATE work SET (state, attempts, reason, finished_at) = "
        "(SELECT o.state, o.attempts, o.reason, o.finished_at FROM work AS o "
        f"WHERE o.campaign_id = {other} AND o.item_id = work.item_id) "
        f"WHERE campaign_id = {kept} AND item_id IN (SELECT item_id FROM moved)"
    )
    last = f"(SELECT coalesce(max(rank), 0) FROM work WHERE campaign_id = {kept})"
    op.execute(
        "INSERT INTO work (campaign_id, item_id, state, attempts, reason, finished_at, rank) "
        f"SELECT {kept}, item_id, state, attempts, reason, finished_at, rank + {last} FROM work "
        f"WHERE campaign_id = {other} AND item_id NOT IN "
        f"(SELECT item_id FROM work WHERE campaign_id = {kept})"
    )
    op.execute(f"DELETE FROM work WHERE campaign_id = {other}")


def _give_campaigns_their_new_key() -> None:
    # A constraint without a name can only be changed by making the table anew.
    op.rename_table("campaigns", "old_campaigns")
    op.create_table(
        "campaigns",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("annotator", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("prompt_version", sa.Text, nullable=False),
        sa.Column("questions", sa.Integer, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("shuffle_seed", sa.Integer),
        sa.UniqueConstraint("prompt_version", "questions"),
    )
    columns = "id, annotator, model, prompt_version, questions, created_at, shuffle_seed"
    op.execute(f"INSERT INTO campaigns ({columns}) SELECT {columns} FROM old_campaigns")
    op.drop_table("old_campaigns")


def _tally_attempts() -> None:
    op.drop_table("attempt_tallies")
    text = ("model", "key_fingerprint", "outcome", "ending", "form", "rejection")
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
    op.drop_table("pair_tallies")
    op.create_table(
        "pair_tallies",
        sa.Column("campaign_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("rule", sa.Text, primary_key=True),
        sa.Column("model", sa.Text, primary_key=True),
        sa.Column("pairs", sa.Integer, nullable=False),
        sqlite_with_rowid=False,
    )
    for table, rule in (("pairs", "''"), ("rejected_pairs", "{}.rule")):
        counted = f"{table}.campaign_id, {rule.format(table)}, {MODEL_OF.format(table)}"
        op.execute(
            f"INSERT INTO pair_tallies SELECT {counted}, count(*) FROM {table} GROUP BY 1, 2, 3"
        )
        new = f"NEW.campaign_id, {rule.format('NEW')}, {MODEL_OF.format('NEW')}"
        old = f"OLD.campaign_id, {rule.format('OLD')}, {MODEL_OF.format('OLD')}"
        op.execute(
            f"CREATE TRIGGER {table}_added AFTER INSERT ON {table} BEGIN "
            f"INSERT INTO pair_tallies VALUES ({new}, 1) "
            "ON CONFLICT DO UPDATE SET pairs = pairs + 1; END"
        )
        op.execute(
            f"CREATE TRIGGER {table}_left AFTER DELETE ON {table} BEGIN "
            f"UPDATE pair_tallies SET pairs = pairs - 1 "
            f"WHERE (campaign_id, rule, model) = ({old}); END"
        )
