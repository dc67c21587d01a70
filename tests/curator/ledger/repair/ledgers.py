"""Ledgers of many pages, and ways of damaging them."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from pathlib import Path

from curator.ledger.database.coding import pack_reply
from curator.ledger.database.plain import PRAGMAS
from curator.ledger.repair.mending import count_pairs
from tests.curator.ledger.ledgers import fresh_ledger

PAGE = 4_096
ITEMS = 600
TABLES = ("items", "work", "attempts", "replies", "pairs", "rejected_pairs", "second_opinions")


def filled_ledger(path: Path, items: int = ITEMS) -> Path:
    """Make a ledger of a campaign that is done: trees of many pages, replies of several pages."""
    die, numbers = random.Random(1), range(1, items + 1)
    with closing(sqlite3.connect(fresh_ledger(path))) as database:
        database.execute("INSERT INTO sources VALUES ('c', 'f', 'images', 1.5, '[]')")
        database.execute(
            "INSERT INTO campaigns (id, annotator, models, prompt_version, questions, created_at) "
            "VALUES (1, 'gemini', '[{\"name\":\"gemini-x\"}]', '1-abc', 3, 0)"
        )
        database.executemany(
            "INSERT INTO items VALUES (?, ?, ?, ?, ?, '')",
            ((n, f"L{n}", f"i{n}", f"{n}.jpg", f'{{"name":"{"n" * (n % 300)}"}}') for n in numbers),
        )
        database.executemany(
            "INSERT INTO work VALUES (1, ?, 1, 0, '', ?, ?, NULL)",
            zip(numbers, (n / 3 for n in numbers), numbers, strict=True),
        )
        database.executemany(
            "INSERT INTO attempts (id, campaign_id, item_id, key_fingerprint, project, model,"
            " started_at, reserved_tokens, outcome, detail, input_tokens, output_tokens,"
            " thought_tokens, drafts) VALUES (?, 1, ?, 'fp', 'p', 'gemini-x', ?, 9, 'open', '',"
            " 0, 0, 0, 4)",
            ((n, n, n / 7) for n in numbers),
        )
        database.execute(
            "UPDATE attempts SET outcome = 'answered', finished_at = started_at + 1,"
            " model_version = 'gemini-x-001', input_tokens = id, output_tokens = 2"
        )
        database.executemany(
            "INSERT INTO replies VALUES (?, ?)",
            ((n, pack_reply(die.randbytes(die.choice([40, 300, 9_000])).hex())) for n in numbers),
        )
        database.executemany(
            "INSERT INTO pairs (campaign_id, item_id, position, question, answer, difficulty,"
            " attempt_id) VALUES (1, ?, ?, ?, 'ä', 'easy', ?)",
            ((n, k, f"What is {k} of {n}?", n) for n in numbers for k in range(3)),
        )
        database.executemany(
            "INSERT INTO rejected_pairs (campaign_id, item_id, attempt_id, rule, question, answer)"
            " VALUES (1, ?, ?, 'r', 'q', 'a')",
            ((n, n) for n in numbers),
        )
        database.executemany(
            "INSERT INTO second_opinions VALUES (1, ?, ?, 1, 0, '', 'ä', 1, 2.5)",
            ((n, f"What is 0 of {n}?") for n in numbers),
        )
        count_pairs(database)
        database.commit()
        database.execute(PRAGMAS[0])
    return path


def rows_of(path: Path) -> dict[str, set[tuple]]:
    with closing(sqlite3.connect(path)) as database:
        return {table: set(database.execute(f"SELECT * FROM {table}")) for table in TABLES}


def overwrite(path: Path, number: int, content: bytes) -> None:
    """Put ``content`` in the place of a page."""
    with path.open("r+b") as file:
        file.seek((number - 1) * PAGE)
        file.write(content)
