"""How far a campaign is, and how its second opinions stand, is tallied like its attempts."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

SAME_PAIR = "(campaign_id, item_id, question) = ({0}.campaign_id, {0}.item_id, {0}.question)"


def upgrade() -> None:
    _tally_work()
    _tally_opinions()


def _tally_work() -> None:
    op.create_table(
        "work_tallies",
        sa.Column("campaign_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("state", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("items", sa.Integer, nullable=False),
        sqlite_with_rowid=False,
    )
    op.execute("INSERT INTO work_tallies SELECT campaign_id, state, count(*) FROM work GROUP BY 1, 2")
    add = (
        "INSERT INTO work_tallies VALUES (NEW.campaign_id, NEW.state, 1) "
        "ON CONFLICT DO UPDATE SET items = items + 1;"
    )
    take = (
        "UPDATE work_tallies SET items = items - 1 "
        "WHERE campaign_id = OLD.campaign_id AND state = OLD.state;"
    )
    op.execute(f"CREATE TRIGGER work_added AFTER INSERT ON work BEGIN {add} END")
    op.execute(f"CREATE TRIGGER work_left AFTER DELETE ON work BEGIN {take} END")
    op.execute(
        "CREATE TRIGGER work_changed AFTER UPDATE OF state ON work "
        f"WHEN OLD.state != NEW.state BEGIN {take} {add} END"
    )


def _tally_opinions() -> None:
    """Count an opinion with its pair: where judging again took that away, it is in no tally."""
    op.create_table(
        "opinion_tallies",
        sa.Column("campaign_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("state", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("agrees", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("pairs", sa.Integer, nullable=False),
        sqlite_with_rowid=False,
    )
    # From the opinions to the pairs, not the other way: the cross join keeps that order.
    op.execute(
        "INSERT INTO opinion_tallies SELECT o.campaign_id, o.state, o.agrees, count(*) "
        "FROM second_opinions AS o CROSS JOIN pairs AS p ON p.campaign_id = o.campaign_id "
        "AND p.item_id = o.item_id AND p.question = o.question GROUP BY 1, 2, 3"
    )
    more = "ON CONFLICT DO UPDATE SET pairs = pairs + 1;"
    kind = "campaign_id, state, agrees"
    same_as_new, same_as_old = SAME_PAIR.format("NEW"), SAME_PAIR.format("OLD")
    add = (
        "INSERT INTO opinion_tallies SELECT NEW.campaign_id, NEW.state, NEW.agrees, 1 "
        f"FROM pairs WHERE {same_as_new} {more}"
    )
    take = (
        f"UPDATE opinion_tallies SET pairs = pairs - (SELECT count(*) FROM pairs WHERE {same_as_old}) "
        f"WHERE ({kind}) = (OLD.campaign_id, OLD.state, OLD.agrees);"
    )
    for name, event, body in (
        ("added", "INSERT", add),
        ("left", "DELETE", take),
        ("changed", "UPDATE OF state, agrees", take + add),
    ):
        op.execute(
            f"CREATE TRIGGER opinion_{name} AFTER {event} ON second_opinions BEGIN {body} END"
        )
    op.execute(
        "CREATE TRIGGER pair_of_opinion_added AFTER INSERT ON pairs BEGIN "
        f"INSERT INTO opinion_tallies SELECT {kind}, 1 FROM second_opinions "
        f"WHERE {same_as_new} {more} END"
    )
    op.execute(
        "CREATE TRIGGER pair_of_opinion_left AFTER DELETE ON pairs BEGIN "
        f"UPDATE opinion_tallies SET pairs = pairs - 1 WHERE ({kind}) = "
        f"(SELECT {kind} FROM second_opinions WHERE {same_as_old}); END"
    )
