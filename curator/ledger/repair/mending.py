"""Makes a filled ledger whole: what the log knows is added, what is about nothing taken out."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Final

from curator.ledger.database.coding import MAKER, pack_reply
from curator.ledger.queue.order import enrol_missing
from curator.ledger.records.requests import Outcome
from curator.ledger.records.work import WorkState
from curator.ledger.repair.log_replies import LoggedReply

_OF_ITEMS: Final = (
    *("canaries", "canary_answers", "looks", "other_listings", "pairs", "rejected_pairs"),
    *("review_leases", "reviews", "second_opinions", "work", "batch_requests"),
)
_HIGHEST_ITEM: Final = (
    "SELECT max(n) FROM (SELECT max(id) AS n FROM items UNION ALL SELECT max(item_id) FROM attempts"
    " UNION ALL SELECT max(item_id) FROM work UNION ALL SELECT max(item_id) FROM pairs)"
)
_ITEM: Final = (
    "INSERT INTO items (id, listing_id, image_id, image_path, metadata) VALUES (?, ?, ?, ?, '{}')"
)
_CAMPAIGN: Final = (
    "INSERT INTO campaigns (id, annotator, models, prompt_version, questions, created_at, prompts)"
    " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
)
_ATTEMPT: Final = (
    "INSERT INTO attempts (id, campaign_id, item_id, key_fingerprint, project, model, started_at,"
    " reserved_tokens, finished_at, outcome, detail, input_tokens, output_tokens, thought_tokens,"
    " ending, form, drafts, question, annotator, canary_day)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?, ?, '', 0, 0, 0, ?, ?, ?, ?, ?, ?)"
)
_FINISH: Final = (
    "UPDATE attempts SET finished_at = ?, outcome = ?, ending = ?, form = ?, drafts = ?"
    " WHERE id = ?"
)
_REPLY: Final = "INSERT INTO replies (attempt_id, body) VALUES (?, ?) ON CONFLICT DO NOTHING"
_LOST_CAMPAIGNS: Final = (
    "SELECT campaign_id FROM work UNION SELECT campaign_id FROM pairs"
    " UNION SELECT campaign_id FROM attempts EXCEPT SELECT id FROM campaigns"
)
_DONE: Final = (
    f"UPDATE work SET state = {int(WorkState.DONE)}"  # noqa: S608 - of a constant
    f" WHERE state = {int(WorkState.PENDING)} AND EXISTS (SELECT 1 FROM pairs"
    " WHERE (campaign_id, item_id) = (work.campaign_id, work.item_id))"
)
# Neither the pairs nor the reply that they were made of are left.
_TO_ASK_AGAIN: Final = (
    f"UPDATE work SET state = {int(WorkState.PENDING)}, attempts = 0, finished_at = NULL"  # noqa: S608
    f" WHERE state = {int(WorkState.DONE)} AND NOT EXISTS (SELECT 1 FROM pairs"
    " WHERE (campaign_id, item_id) = (work.campaign_id, work.item_id))"
    " AND item_id NOT IN (SELECT item_id FROM attempts"
    " JOIN replies ON replies.attempt_id = attempts.id"
    " WHERE attempts.campaign_id = work.campaign_id AND question IS NULL)"
)


@dataclass
class Mended:
    """How many rows of each table came from the log, and how many are about a lost image."""

    from_log: dict[str, int] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)


def mend(connection: sqlite3.Connection, logged: Mapping[int, LoggedReply]) -> Mended:
    """Mend the ledger of this open transaction by what was ``logged``.

    An image that is lost and that the log does not name loses its work and its pairs, which would
    be another's once its number is given again; its requests are kept, for what they cost.
    """
    mended = Mended()
    kept = _those_of_this_ledger(connection, logged)
    _add_campaigns(connection, kept, mended)
    _add_items(connection, kept, mended)
    _add_attempts(connection, kept, mended)
    _drop_what_is_about_nothing(connection, mended)
    count_pairs(connection)
    for (campaign_id,) in connection.execute("SELECT id FROM campaigns").fetchall():
        enrol_missing(connection, campaign_id)
    connection.execute(_DONE)
    connection.execute(_TO_ASK_AGAIN)
    # Read again at the next start, for what is missing.
    connection.execute("UPDATE sources SET fingerprint = NULL")
    return mended


def take_in(
    connection: sqlite3.Connection, campaign_id: int, logged: Iterable[LoggedReply]
) -> frozenset[int]:
    """Add useful replies about images that wait; return the items, which are to be judged."""
    about = (
        "SELECT image_path, item_id FROM work JOIN items ON items.id = item_id"
        " WHERE campaign_id = ? AND state = ?"
    )
    asked = campaign_id, int(WorkState.PENDING)
    waiting = dict(connection.execute(about, asked).fetchall())
    version = "SELECT prompt_version FROM campaigns WHERE id = ?"
    [prompt_version] = connection.execute(version, (campaign_id,)).fetchone()
    kept: dict[str, LoggedReply] = {}
    for each in logged:
        is_whole = each.is_useful and each.text is not None and each.question is None
        if is_whole and each.image in waiting and each.asked_by == prompt_version:
            kept.setdefault(each.image, each)
    _add_attempts(connection, list(kept.values()), Mended())
    return frozenset(waiting[image] for image in kept)


def _those_of_this_ledger(
    connection: sqlite3.Connection, logged: Mapping[int, LoggedReply]
) -> list[LoggedReply]:
    """Return the replies that no saved row speaks against: an older ledger may have begun the log.

    In the order of their attempts.
    """
    about = "SELECT attempts.id, image_path FROM attempts JOIN items ON items.id = item_id"
    known = dict(connection.execute(about).fetchall())
    fitting = (each for number, each in sorted(logged.items()))
    return [each for each in fitting if known.get(each.attempt_id, each.image) == each.image]


def _add_campaigns(
    connection: sqlite3.Connection, logged: list[LoggedReply], mended: Mended
) -> None:
    campaigns = {each.campaign.campaign_id: each.campaign for each in logged if each.campaign}
    for one in campaigns.values():
        asked = one.prompt_version, one.questions
        told = one.campaign_id, one.annotator, one.models, *asked, one.at, one.prompts
        _count(mended.from_log, "campaigns", connection.execute(_CAMPAIGN, told))
    for (lost,) in connection.execute(_LOST_CAMPAIGNS).fetchall():
        # Its pairs can be exported; which prompt they are of, nobody knows any more.
        unknown = lost, "gemini", "[]", f"lost-{lost}", 1, 0.0, "[]"
        connection.execute(_CAMPAIGN, unknown)


def _add_items(connection: sqlite3.Connection, logged: list[LoggedReply], mended: Mended) -> None:
    known = {path for (path,) in connection.execute("SELECT image_path FROM items")}
    numbers = {number for (number,) in connection.execute("SELECT id FROM items")}
    of_attempts = dict(connection.execute("SELECT id, item_id FROM attempts").fetchall())
    highest = connection.execute(_HIGHEST_ITEM).fetchone()[0] or 0
    for each in logged:
        if each.image in known:
            continue
        number = of_attempts.get(each.attempt_id, 0)
        if number in numbers or not number:
            number = highest = highest + 1
        row = number, each.listing_id, PurePosixPath(each.image).stem, each.image
        _count(mended.from_log, "items", connection.execute(_ITEM, row))
        known.add(each.image)
        numbers.add(number)


def _add_attempts(
    connection: sqlite3.Connection, logged: list[LoggedReply], mended: Mended
) -> None:
    items = dict(connection.execute("SELECT image_path, id FROM items").fetchall())
    labels = "SELECT label, fingerprint, project FROM keys"
    keys = {label: told for label, *told in connection.execute(labels)}
    known = dict(connection.execute("SELECT id, annotator FROM attempts").fetchall())
    still_open = "SELECT id FROM attempts WHERE outcome = 'open'"
    unfinished = {number for (number,) in connection.execute(still_open)}
    campaigns = dict(connection.execute("SELECT prompt_version, id FROM campaigns").fetchall())
    overtaken = _overtaken(connection, logged)
    for each in logged:
        campaign, number = campaigns.get(each.asked_by), each.attempt_id
        is_over = number not in overtaken
        outcome = Outcome.ANSWERED if each.is_useful else Outcome.UNUSABLE
        ended = (each.at, outcome.value) if is_over else (None, Outcome.OPEN.value)
        facts = each.ending, each.form, each.drafts
        if number in unfinished and is_over:
            connection.execute(_FINISH, (*ended, *facts, number))
        elif number not in known:
            if campaign is None:
                continue
            begun = number, campaign, items[each.image], *keys.get(each.key_label, ("", ""))
            told = *facts, each.question, each.annotator, each.canary_day
            row = (*begun, each.model, each.at, *ended, *told)
            _count(mended.from_log, "attempts", connection.execute(_ATTEMPT, row))
        if is_over and (body := each.body(known.get(number, each.annotator))):
            added = connection.execute(_REPLY, (number, pack_reply(body)))
            _count(mended.from_log, "replies", added)


def _overtaken(connection: sqlite3.Connection, logged: Sequence[LoggedReply]) -> set[int]:
    """Return the requests whose image was answered by another one, whose reply counts.

    So it is where a reply came and could not be written, and the image was asked about again.
    """
    about = (
        "SELECT prompt_version, image_path, attempts.id FROM attempts"
        " JOIN items ON items.id = item_id JOIN campaigns ON campaigns.id = campaign_id"
        " WHERE outcome = ? AND question IS NULL"
    )
    rows = connection.execute(about, (Outcome.ANSWERED.value,))
    answered = {tuple(asked): number for *asked, number in rows}
    overtaken = set()
    for each in reversed(logged):
        if each.is_useful and each.question is None:
            by = answered.setdefault((each.asked_by, each.image), each.attempt_id)
            if by != each.attempt_id:
                overtaken.add(each.attempt_id)
    return overtaken


def _drop_what_is_about_nothing(connection: sqlite3.Connection, mended: Mended) -> None:
    for table in _OF_ITEMS:
        of_lost = f"DELETE FROM {table} WHERE item_id NOT IN (SELECT id FROM items)"  # noqa: S608
        _count(mended.dropped, table, connection.execute(of_lost))
    connection.execute(
        "UPDATE attempts SET item_id = 0 WHERE item_id NOT IN (SELECT id FROM items)"
    )
    nobodys = "attempt_id NOT IN (SELECT id FROM attempts WHERE item_id != 0)"
    lost = connection.execute(f"DELETE FROM replies WHERE {nobodys}")  # noqa: S608 - a constant
    _count(mended.dropped, "replies", lost)


def count_pairs(connection: sqlite3.Connection) -> None:
    """Tally the pairs anew: those that were saved are counted by nobody else."""
    connection.execute("DELETE FROM pair_tallies")
    connection.execute(
        f"INSERT INTO pair_tallies SELECT campaign_id, rule, {MAKER.format('attempt_id')}, count(*)"  # noqa: S608
        " FROM (SELECT campaign_id, '' AS rule, attempt_id FROM pairs"
        " UNION ALL SELECT campaign_id, rule, attempt_id FROM rejected_pairs) GROUP BY 1, 2, 3"
    )


def _count(counts: dict[str, int], table: str, done: sqlite3.Cursor) -> None:
    if done.rowcount > 0:
        counts[table] = counts.get(table, 0) + done.rowcount
