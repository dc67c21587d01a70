"""What requests cost is kept, priced by the model that is billed, and told wherever it is asked."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from curator.ledger import migrate
from curator.ledger.database.upgrade import upgrade
from shared.corpus import read_json
from shared.endpoints.models.prices import Price
from shared.endpoints.models.users_file import models_with
from tests.curator.campaigns import PICTURES
from tests.curator.ledger.ledgers import tallied

MODEL = "gemini-3.5-flash-lite"
HEIR = "gemini-9"
THINKS = {
    "image_tokens": {"low": 280, "medium": 560, "high": 1120},
    "thought_tokens": {"low": 90},
    "thinking": "low",
    "cached_tokens": 100,
}


async def test_tokens_are_told_by_kind_and_dollars_by_model(stage):
    campaign = await stage(model=[{"name": MODEL, **THINKS}])
    assert (await campaign.run()).code == 0
    told = await campaign.status()
    tokens = told["tokens"]
    assert tokens["images"] == PICTURES * 1120
    assert (tokens["thoughts"], tokens["cached"]) == (PICTURES * 90, PICTURES * 100)
    assert tokens["input"] > tokens["images"]
    paid = (tokens["input"] - tokens["cached"]) * 0.30 + tokens["cached"] * 0.03
    paid = (paid + (tokens["output"] + tokens["thoughts"]) * 2.50) / 1e6
    assert told["cost_usd"] == pytest.approx(paid)
    (each,) = told["spending"]
    assert each["usd"] == pytest.approx(paid)
    assert (each["asked"], each["answered_by"], each["tokens"]) == (MODEL, MODEL, tokens)
    assert each["price"]["read_on"] == "2026-11-28"
    shown = (await campaign.command("status")).out
    assert f"({PICTURES * 1120:,} of images) ({PICTURES * 100:,} cached)" in shown.replace(
        "\n", " "
    )

    folder = campaign.folder / "data"
    assert (await campaign.command("export", "--out", str(folder))).code == 0
    assert read_json(folder / "manifest.json")["source"]["spending"] == told["spending"]
    tallied(campaign.ledger)


async def test_what_another_model_answers_costs_what_that_one_does(stage, tmp_path):
    campaign = await stage(model=[{"name": MODEL, "answers_as": HEIR}])
    assert (await campaign.run()).code == 0
    told = await campaign.status()
    # The price of the model that was asked for is known; it is not the one that is billed.
    assert told["cost_usd"] is None
    assert [each["usd"] for each in told["spending"]] == [None]
    assert "unknown, for want of a price" in (await campaign.command("status")).out
    models = tmp_path / "models.toml"
    models.write_text(f"[[model]]\nname = '{HEIR}'\nprice = {{ input_usd = 1e6, output_usd = 0 }}")
    assert models_with(models).known(HEIR).price == Price(
        1e6, 0, read_on=models_with(models).tables["read_on"]
    )
    again = await campaign.command("status", "--models", str(models))
    assert f"{told['tokens']['input']:,}.00 $" in again.out
    assert f"answered by {HEIR}" in again.out.replace("\n", " ")


async def test_a_version_behind_a_name_is_priced_as_the_model(stage):
    campaign = await stage(model=[{"name": MODEL, "answers_as": f"{MODEL}-001"}])
    assert (await campaign.run()).code == 0
    assert (await campaign.status())["cost_usd"] > 0


def test_cached_input_without_a_price_of_its_own_costs_like_all_other():
    assert Price(1.0, 2.0).of(1_000_000, 500_000, 400_000) == pytest.approx(2.0)
    assert Price(1.0, 2.0, 0.1).of(1_000_000, 500_000, 400_000) == pytest.approx(1.64)
    # More cached tokens than there is input: the service has miscounted, not paid us.
    assert Price(1.0, 2.0, 0.0).of(10, 0, 50) == 0.0


def test_the_tokens_of_an_older_ledger_are_tallied_when_it_is_upgraded(tmp_path):
    path = tmp_path / "l.db"
    upgrade(path, "0016")
    with closing(sqlite3.connect(path)) as database:
        for number, version, spent in ((1, "m-001", 7), (2, "m-001", 5), (3, "", 3), (4, "", 0)):
            database.execute(
                "INSERT INTO attempts (id, campaign_id, item_id, key_fingerprint, project, model, "
                "started_at, reserved_tokens, outcome, detail, "
                "input_tokens, output_tokens, thought_tokens) "
                "VALUES (?, 1, 1, 'f', 'p', 'm', 1.0, 9, 'open', '', 0, 0, 0)",
                (number,),
            )
            if spent:
                database.execute(
                    "UPDATE attempts SET outcome = 'answered', model_version = ?, "
                    "input_tokens = ?, output_tokens = 2, thought_tokens = 1 WHERE id = ?",
                    (version, spent, number),
                )
        database.commit()
    migrate(path)
    tallied(path)
    with closing(sqlite3.connect(path)) as database:
        spent = database.execute("SELECT * FROM token_tallies ORDER BY model_version").fetchall()
    assert spent == [
        (1, "m", "", "standard", 3, 2, 1, 0, 0),
        (1, "m", "m-001", "standard", 12, 4, 2, 0, 0),
    ]
