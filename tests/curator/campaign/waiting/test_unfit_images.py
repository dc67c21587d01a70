"""Images that are not worth asking about cost no request, and are told with their reason."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from curator.__main__ import app
from shared.endpoints.models.tier import Tier
from shared.images.fitness import Fitness
from shared.program.cli import run_program
from tests.curator.campaigns import KEYS, PICTURES

SMALL, BLANK = "too small: a side below 40 px", "blank: contrast below 1"


def spoil(catalog: Path) -> None:
    """Leave one picture small, and two of one colour."""
    pictures = sorted((catalog / "images" / "small").rglob("*.jpg"))
    Image.open(pictures[0]).resize((30, 60)).save(pictures[0])
    for path in pictures[1:3]:
        Image.new("RGB", (200, 200), "white").save(path, quality=90)


async def test_what_is_small_or_blank_is_left_out_before_it_costs_anything(stage):
    campaign = await stage()
    spoil(campaign.catalog)
    result = await campaign.run(fitness=Fitness(min_pixels=40, min_contrast=1.0))
    assert result.code == 0, result.err
    assert campaign.requests == PICTURES - 3
    told = await campaign.status()
    assert told["unfit"] == {BLANK: 2, SMALL: 1}
    # It was the user's own wish, and nothing failed.
    assert (told["given_up"], told["dead_letters"]) == ({}, [])
    left = PICTURES - 3
    assert told["progress"] == {"done": left, "dead": 0, "pending": 0, "total": left}
    log = (campaign.folder / "campaign.db.log.jsonl").read_text().splitlines()
    left_out = [entry for entry in map(json.loads, log) if entry["event"] == "item_left_out"]
    assert len(left_out) == 3
    assert "3 images left out as asked (" in result.err
    assert f"2 times {BLANK}; once {SMALL}" in result.err
    # With less asked of them, they come back.
    await campaign.run(retry_dead=True)
    assert campaign.requests > PICTURES
    assert (await campaign.status())["unfit"] == {}


@pytest.mark.parametrize("tier", [Tier.STANDARD, Tier.BATCH])
async def test_a_run_that_leaves_all_out_has_done_what_was_asked(stage, clock, tier):
    campaign = await stage(clock=clock)
    result = await campaign.run(clock, tier=tier, fitness=Fitness(min_pixels=4_000))
    assert result.code == 0, result.err
    assert campaign.requests == 0
    assert "12 images left out as asked (12 times too small" in result.err.splitlines()[-1]


@pytest.mark.parametrize("tier", [Tier.STANDARD, Tier.BATCH])
async def test_a_limit_counts_what_is_asked_about_alone(stage, clock, tier):
    campaign = await stage(clock=clock)
    spoil(campaign.catalog)
    fitness = Fitness(min_pixels=40, min_contrast=1.0)
    result = await campaign.run(clock, tier=tier, fitness=fitness, limit=PICTURES - 3)
    assert result.code == 0, result.err
    assert (await campaign.status())["progress"]["done"] == PICTURES - 3


async def test_an_export_tells_what_was_left_out(stage, tmp_path):
    campaign = await stage()
    spoil(campaign.catalog)
    await campaign.run(fitness=Fitness(min_pixels=40))
    folder = tmp_path / "dataset"
    result = await campaign.command("export", "--out", str(folder))
    assert result.code == 0, result.err
    assert f"1 image left out as asked of pictures ({SMALL} 1)" in result.err + result.out
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["source"]["items_unfit"] == {SMALL: 1}


async def test_what_was_asked_about_before_is_verified_whatever_it_looks_like(stage):
    campaign = await stage()
    await campaign.run()
    spoil(campaign.catalog)
    result = await campaign.run(fitness=Fitness(min_contrast=200.0), verify=1.0)
    assert result.code == 0, result.err
    told = await campaign.status()
    assert told["second_opinions"]["given_up"] == told["progress"]["dead"] == 0


def test_a_plan_tells_what_pictures_look_like_and_which_would_be_left_out(abo, tmp_path, capsys):
    spoil(abo)
    (tmp_path / "keys.txt").write_text(KEYS[0])
    words = ("--catalog", str(abo), "--keys", str(tmp_path / "keys.txt"))
    more = ("--min-pixels", "40", "--min-contrast", "1")

    def told(*also: str) -> str:
        with pytest.raises(SystemExit) as ended:
            run_program(app, "curator", ["plan", *words, *more, *also])
        assert ended.value.code == 0
        return capsys.readouterr().out

    pictures = json.loads(told("--json"))["pictures"]
    assert pictures["looked_at"] == PICTURES
    assert pictures["contrast"]["least"] == pytest.approx(0.0, abs=0.5)
    assert {each["reason"]: each["count"] for each in pictures["unfit"]} == {SMALL: 1, BLANK: 2}
    shown = " ".join(told().split())
    assert f"2 would be left out as {BLANK}" in shown
    assert "The first 12 pictures: shorter side in pixels 30 to" in shown


async def test_no_batch_job_holds_them_either(stage, clock):
    campaign = await stage(clock=clock)
    spoil(campaign.catalog)
    fitness = Fitness(min_pixels=40, min_contrast=1.0)
    result = await campaign.run(clock, tier=Tier.BATCH, fitness=fitness)
    assert result.code == 0, result.err
    assert campaign.server.stats()["batch"]["requests_sent"] == PICTURES - 3
    assert (await campaign.status())["unfit"] == {BLANK: 2, SMALL: 1}
