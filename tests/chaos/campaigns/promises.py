"""What holds after a campaign, whatever befell it; each promise names what broke it."""

from __future__ import annotations

import csv
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from curator.judging.parser import parse_reply
from curator.ledger.database.coding import unpack_reply
from shared.endpoints.protocols.registry import Service as Protocol
from tests.chaos.campaigns.scene import DAMAGED, KEYS, Scene
from tests.curator.ledger.ledgers import TALLIES

_PROOF = "only to see whether the service answers%"


def broken_promises(scene: Scene, exported: Path) -> list[str]:
    """Return what did not hold once the campaign is done and exported; nothing where all did."""
    with closing(sqlite3.connect(scene.campaign.ledger)) as database:
        return [
            *_of_the_file(database),
            *_one_outcome_a_listing(scene, database),
            *_pairs_as_given(scene, database, exported),
            *_repeats(scene, database),
            *_no_key(scene),
        ]


def _of_the_file(database: sqlite3.Connection) -> Iterator[str]:
    [told] = database.execute("PRAGMA integrity_check").fetchone()
    if told != "ok":
        yield f"the ledger is damaged: {told}"
    for tally, count in TALLIES.items():
        if set(database.execute(tally)) != set(database.execute(count)):
            yield f"a tally is not what counting gives: {tally}"


def _one_outcome_a_listing(scene: Scene, database: sqlite3.Connection) -> Iterator[str]:
    states = database.execute("SELECT state, count(*) FROM work GROUP BY 1").fetchall()
    if states != [(1, scene.listings)]:
        yield f"not every listing is done: {states}"
    # Repair lets requests about lost images stand for 0, which is no listing.
    twice = database.execute(
        "SELECT item_id, count(*) FROM attempts WHERE outcome = 'answered' AND question IS NULL"
        " AND item_id != 0 GROUP BY 1 HAVING count(*) > 1"
    ).fetchall()
    if twice:
        yield f"listings were answered more than once: {twice[:5]}"
    held = database.execute("SELECT count(*) FROM batch_requests").fetchone()
    if held != (0,):
        yield f"jobs still hold {held[0]} listings"


def _pairs_as_given(scene: Scene, database: sqlite3.Connection, exported: Path) -> Iterator[str]:
    with exported.open(newline="") as file:
        written: dict[str, set[tuple[str, str]]] = {}
        for row in csv.DictReader(file):
            written.setdefault(row["filename"], set()).add((row["question"], row["answer"]))
    given = {
        path: {(draft.question, draft.answer) for draft in _drafts(annotator, body)}
        for path, annotator, body in database.execute(
            "SELECT image_path, annotator, body FROM replies"
            " JOIN attempts ON attempts.id = attempt_id JOIN items ON items.id = item_id"
            " WHERE outcome = 'answered' AND question IS NULL"
        )
    }
    paths = written.keys() | given.keys()
    if scene.tried[DAMAGED]:
        # A reply's page may be lost that a killed run had not logged yet; its pairs are not.
        paths = given.keys()
    odd = [path for path in paths if written.get(path) != given.get(path)]
    if odd:
        yield f"pairs of {len(odd)} listings are not what the service gave: {sorted(odd)[:3]}"
    with (scene.campaign.folder.parent / "answers.csv").open(newline="") as file:
        known = {(row["filename"], row["question"], row["answer"]) for row in csv.DictReader(file)}
    strange = {(path, *pair) for path, pairs in written.items() for pair in pairs} - known
    if strange:
        yield f"pairs that the service does not know: {sorted(strange)[:3]}"


def _drafts(annotator: str, body: bytes) -> list:
    reply = Protocol(annotator).protocol.read_reply(unpack_reply(body))
    return list(parse_reply(reply.text).drafts)


def _repeats(scene: Scene, database: sqlite3.Connection) -> Iterator[str]:
    repeats = scene.service.server.stats()["images"]["repeats"]
    [proofs] = database.execute(
        "SELECT count(*) FROM attempts WHERE detail LIKE ?", (_PROOF,)
    ).fetchone()
    if repeats > scene.in_flight + proofs:
        yield f"{repeats} answers were given twice, {scene.in_flight} were in flight at most"
    [left_open] = database.execute(
        "SELECT count(*) FROM attempts WHERE outcome = 'open'"
    ).fetchone()
    if left_open > scene.in_flight:
        yield f"{left_open} requests are open, {scene.in_flight} were in flight at most"


def _no_key(scene: Scene) -> Iterator[str]:
    secrets = re.compile("|".join(map(re.escape, KEYS.values())).encode())
    for path in scene.campaign.folder.rglob("*"):
        if path.is_file() and path != scene.keys_file and secrets.search(path.read_bytes()):
            yield f"a key stands in {path.name}"
    if secrets.search("".join(scene.captured.everything).encode()):
        yield "a key was printed"


def done(scene: Scene) -> bool:
    """Return whether every listing is done."""
    with closing(sqlite3.connect(scene.campaign.ledger)) as database:
        count = database.execute("SELECT count(*) FROM work WHERE state = 1").fetchone()
    return count == (scene.listings,)


def exceeded_windows(scene: Scene) -> list[str]:
    """Return how many requests the service refused for more than a quota allows; none, nothing."""
    outcomes = scene.service.server.stats()["outcomes"]
    count = outcomes.get("minute_quota", 0) + outcomes.get("day_quota", 0)
    return [f"{count} requests went over a quota"] if count else []
