"""A label error that was planted in the rehearsal's answers is found by 200 reviewed pairs."""

from __future__ import annotations

import csv
import json
import random

import aiohttp
import pytest

from curator.ledger.reviews.candidates import Draw
from curator.review.desk import Desk
from curator.review.page.site import Looked, served
from curator.review.sitting import Sitting
from shared.program.clock import SystemClock
from shared.web.access import Address
from tests.curator.campaigns import KEYS, ended, start_process
from tests.curator.pictures import write_abo

PICTURES, REVIEWED, ERROR = 200, 200, 0.15
QUESTIONS = {
    "What is the main colour of this?": ("red", "green"),
    "What is shown in the picture?": ("lamp", "sofa"),
    "How many parts can you see?": ("two", "five"),
}
TRUE = {question: right for question, (right, _) in QUESTIONS.items()}


@pytest.mark.slow
async def test_the_planted_error_lies_within_the_interval(tmp_path, rehearsal):
    catalog = write_abo(tmp_path / "abo", PICTURES)
    images = catalog / "images" / "small"
    dice, planted = random.Random(5), 0
    with (tmp_path / "planted.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["filename", "question", "answer"])
        for path in sorted(images.rglob("*.jpg")):
            for question, (right, wrong) in QUESTIONS.items():
                is_wrong = dice.random() < ERROR
                planted += is_wrong
                name = path.relative_to(images).as_posix()
                rows.writerow([name, question, wrong if is_wrong else right])
    keys, ledger = tmp_path / "keys.txt", tmp_path / "l.db"
    keys.write_text("\n".join(KEYS))
    server = rehearsal(images, answers=tmp_path / "planted.csv")
    async with server.serving() as url:
        run = await ended(
            await start_process(
                *("run", "--catalog", str(catalog), "--keys", str(keys), "--ledger", str(ledger)),
                *("--endpoint", url, "--questions", "3"),
            )
        )
    assert run.code == 0, run.err
    desk = Desk(ledger)
    looked = Looked(desk, [images], Sitting(desk, SystemClock(), Draw(seed=1)))
    async with (
        served(Address("127.0.0.1", 0), looked) as where,
        aiohttp.ClientSession(where.url) as session,
    ):
        for _ in range(REVIEWED // 5):
            await _judge_five(session)
        async with session.get("api/reviews") as answer:
            [shown] = (await answer.json())["reviews"]
    told = json.loads((await ended(await start_process("review", str(ledger), "--json"))).out)
    assert told["reviews"] == [shown]
    sample = shown["sample"]
    assert (sample["judged"], sample["right"]["pairs"]) == (REVIEWED, REVIEWED)
    low, high = sample["right"]["ci95"]
    true_share = 1 - planted / (3 * PICTURES)
    assert low < true_share < high
    assert high - low < 0.12
    # Nor is it only one that lies anywhere: without an error the interval would hold 1.
    assert high < 0.95


async def _judge_five(session: aiohttp.ClientSession) -> None:
    asked = {"reviewer": "Ada", "order": "random", "count": 5, "wanted": {"campaign": 1}}
    async with session.post("api/review/next", json=asked) as answer:
        pairs = (await answer.json())["pairs"]
    assert len(pairs) == 5
    for pair in pairs:
        is_right = pair["answer"] == TRUE[pair["question"]]
        said = {name: pair[name] for name in ("campaign", "item", "question", "answer")} | {
            "reviewer": "Ada",
            "decision": "accepted" if is_right else "corrected",
            "correction": "" if is_right else TRUE[pair["question"]],
        }
        async with session.post("api/review/decide", json=said) as answer:
            assert answer.status == 200
