"""After 20 replies, what is reserved, planned and forecast is what the service then counts."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing

import pytest

from curator.__main__ import app
from curator.ledger.database.plain import reading
from curator.ledger.reports.campaigns import campaign_reports
from curator.ledger.reports.forecasting import memory
from shared.program.cli import run_program
from tests.curator.pictures import write_abo

MODEL = "gemini-9-thinker"
"""Not in the catalogue of models: that an image counts 1,120 tokens, nobody says before."""
THINKER = {
    "name": MODEL,
    "image_tokens": {"low": 280, "medium": 560, "high": 1120},
    "characters_per_token": 3.1,
    "thought_tokens": {"low": 700},
    "thinking": "low",
}
LEARNED_FROM = 20


def attempts(campaign) -> list[tuple[int, int, int]]:
    with closing(sqlite3.connect(campaign.ledger)) as database:
        return database.execute(
            "SELECT reserved_tokens, input_tokens, output_tokens + thought_tokens FROM attempts "
            "WHERE outcome = 'answered' ORDER BY id"
        ).fetchall()


async def planned(capsys, *arguments: str) -> dict:
    def finish() -> int:
        with pytest.raises(SystemExit) as ended:
            run_program(app, "curator", ["plan", *arguments, "--json"])
        return ended.value.code

    capsys.readouterr()
    code = await asyncio.to_thread(finish)
    told = capsys.readouterr()
    assert code == 0, told.err
    return json.loads(told.out)


async def test_after_twenty_replies_estimates_are_within_five_percent(stage, capsys, tmp_path):
    # Before, so that the server knows all pictures, and after, so that the catalogue lists them.
    write_abo(tmp_path / "abo", 60)
    campaign = await stage(model=[THINKER])
    write_abo(tmp_path / "abo", 60)
    assert (await campaign.run(models=[MODEL], limit=LEARNED_FROM, concurrency=1)).code == 0
    settings = ["--keys", str(campaign.folder / "keys.txt"), "--model", MODEL, "--questions", "3"]
    catalog = ["--catalog", str(campaign.catalog)]
    unlearned = await planned(capsys, *catalog, *settings)
    plan = await planned(capsys, *catalog, *settings, "--ledger", str(campaign.ledger))
    with reading(campaign.ledger) as connection:
        (report,) = campaign_reports(connection, 0.0)
        forecast = memory(connection, report, 0.0).load.input_tokens[MODEL]

    assert (await campaign.run(models=[MODEL])).code == 0
    later = attempts(campaign)[LEARNED_FROM:]
    assert len(later) == 40
    reserved, taken, given = (sum(column) for column in zip(*later, strict=True))
    assert reserved == pytest.approx(taken, rel=0.05)
    for one_reserved, one_taken, _ in later:
        assert one_reserved == pytest.approx(one_taken, rel=0.05)
    assert forecast == pytest.approx(taken / 40, rel=0.05)
    assumed = plan["assumptions"]
    assert assumed["input_tokens"][MODEL] == pytest.approx(taken / 40, rel=0.05)
    assert assumed["output_tokens"][MODEL] == pytest.approx(given / 40, rel=0.05)
    # Without replies, nobody could know.
    assert unlearned["assumptions"]["input_tokens"][MODEL] < 0.6 * taken / 40


async def test_the_first_request_of_a_later_run_is_reserved_as_learned(stage):
    campaign = await stage(model=[THINKER])
    assert (await campaign.run(models=[MODEL], limit=1, concurrency=1)).code == 0
    assert (await campaign.run(models=[MODEL], limit=2, concurrency=1)).code == 0
    (first, counted, _), (second, _, _) = attempts(campaign)
    assert first < 0.6 * counted
    assert second == pytest.approx(counted, rel=0.05)


def test_a_plan_needs_a_ledger_that_is_there(abo, tmp_path, capsys):
    keys = tmp_path / "keys.txt"
    keys.write_text("AIzaSyKeyNumberOne001")
    arguments = ["plan", "--catalog", str(abo), "--keys", str(keys), "--ledger", "no.db"]
    with pytest.raises(SystemExit) as ended:
        run_program(app, "curator", arguments)
    assert ended.value.code == 2
    assert "no.db: no such ledger" in capsys.readouterr().err
