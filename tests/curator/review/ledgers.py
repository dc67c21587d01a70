"""Ledgers with pairs that people look at, written row by row."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from curator.ledger.repair.mending import count_pairs
from tests.curator.ledger.ledgers import fresh_ledger
from tests.curator.pictures import draw_picture


@dataclass(frozen=True)
class Row:
    """A pair of image ``item``, and what is known of it."""

    item: int
    question: str
    answer: str
    agreement: str = ""
    opinion: str | None = None
    model: str = "gemini-x"
    campaign: int = 1


def filled_ledger(path: Path, rows: list[Row], *, images: Path | None = None) -> Path:
    """Write a ledger of the items that ``rows`` are about, each with a picture in ``images``."""
    fresh_ledger(path)
    items = sorted({row.item for row in rows})
    with closing(sqlite3.connect(path)) as database, database:
        for campaign in sorted({row.campaign for row in rows}):
            database.execute(
                "INSERT INTO campaigns (id, annotator, models, prompt_version, questions, "
                "created_at) VALUES (?, 'gemini', '[{\"name\": \"gemini-x\"}]', ?, 3, 1.0)",
                (campaign, f"{campaign}-abc"),
            )
        database.execute("INSERT INTO sources VALUES ('c', NULL, ?, 1.0, NULL)", (str(images),))
        for item in items:
            listing = {"item_name": f"Thing {item}", "brand": "Größer & Co"}
            database.execute(
                "INSERT INTO items VALUES (?, ?, ?, ?, ?, '')",
                (
                    *(item, f"B{item:03}", f"i{item}", f"{item}.png"),
                    json.dumps(listing, ensure_ascii=False),
                ),
            )
            if images is not None:
                draw_picture(images / f"{item}.png", item, size=400)
        positions: dict[tuple[int, int], int] = {}
        for number, row in enumerate(rows, start=1):
            place = (row.campaign, row.item)
            positions[place] = positions.get(place, -1) + 1
            if positions[place] == 0:
                database.execute(
                    "INSERT INTO work VALUES (?, ?, 1, 1, '', 2.0, ?, NULL)", (*place, row.item)
                )
            database.execute(
                "INSERT INTO attempts (id, campaign_id, item_id, key_fingerprint, project, model, "
                "started_at, reserved_tokens, finished_at, outcome, detail, input_tokens, "
                "output_tokens, thought_tokens) "
                "VALUES (?, ?, ?, 'f', 'p', ?, 1.0, 1, 2.0, 'answered', '', 1, 1, 0)",
                (number, *place, row.model),
            )
            database.execute(
                "INSERT INTO pairs VALUES (?, ?, ?, ?, ?, 'easy', ?, ?, '', NULL)",
                (*place, positions[place], row.question, row.answer, row.agreement, number),
            )
            if row.opinion is not None:
                database.execute(
                    "INSERT INTO second_opinions VALUES (?, ?, ?, 1, 1, '', ?, ?, 3.0)",
                    (*place, row.question, row.opinion, int(row.opinion == row.answer)),
                )
        count_pairs(database)
    return path


def change(path: Path, statement: str, *parameters: object) -> None:
    """Change a ledger as nothing of ours would."""
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(statement, parameters)
