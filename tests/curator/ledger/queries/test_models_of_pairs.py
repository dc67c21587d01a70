"""A campaign outlives its models: nothing is asked twice, and each pair says who made it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from shared.corpus import read_pairs
from shared.endpoints.protocols.registry import Service
from tests.curator.campaigns import PICTURES
from tests.fakes.openai_server import OpenAIServer
from tests.shared.endpoints.protocols.test_openai_sdk import known_pairs

FIRST, SECOND = "gemini-2.5-flash", "gemini-3-flash"


def made_by(out: Path) -> dict[str, int]:
    models = [pair.provenance.model for pair in read_pairs(out)]
    return {model: models.count(model) for model in models}


async def test_another_model_is_asked_only_about_what_is_left(stage):
    campaign = await stage()
    assert (await campaign.run(model=FIRST, limit=5)).code == 0
    assert (await campaign.run(model=SECOND)).code == 0
    assert campaign.requests == PICTURES
    status = await campaign.status()
    told = {FIRST: 5 * 3, SECOND: (PICTURES - 5) * 3}
    assert (status["models"], status["pairs_by_model"]) == ([SECOND], told)
    assert set(status["tokens_by_model"]) == {FIRST, SECOND}
    assert status["progress"]["done"] == PICTURES
    for out in (campaign.folder / "qa.parquet", campaign.folder / "dataset"):
        result = await campaign.command("export", "--out", str(out))
        assert (result.code, result.out) == (0, f"{3 * PICTURES} pairs in {out}\n")
        assert made_by(out) == told
    manifest = json.loads((campaign.folder / "dataset" / "manifest.json").read_text())
    assert manifest["pairs_by_model"] == told
    assert "model" not in manifest["source"]
    shown = await campaign.command("status")
    assert f"{FIRST} 15, {SECOND} 21" in " ".join(shown.out.split())


async def test_the_status_of_a_run_counts_the_pairs_of_those_before_it(stage):
    campaign = await stage(latency={"mean_ms": 50})
    assert (await campaign.run(model=FIRST, limit=4)).code == 0
    running = asyncio.create_task(campaign.run(model=SECOND, verify=0.5))
    assert (await running).code == 0
    assert campaign.server.stats()["images"]["repeats"] == 0
    status = await campaign.status()
    assert status["pairs_by_model"] == {FIRST: 12, SECOND: 24}
    second = status["second_opinions"]
    assert second["agrees"] + second["disagrees"] == campaign.requests - PICTURES > 0


async def test_another_service_goes_on_and_each_reply_is_read_by_its_own(stage, tmp_path):
    campaign = await stage()
    assert (await campaign.run(model=FIRST, limit=5)).code == 0
    images = campaign.catalog / "images" / "small"
    server = OpenAIServer(known_pairs(images, tmp_path))
    async with server.serving() as url:
        asked = {"annotator": Service.OPENAI, "model": "llava", "keys": None, "base_url": url}
        assert (await campaign.run(**asked)).code == 0
    assert (campaign.requests, len(server.seen)) == (5, PICTURES - 5)
    told = {FIRST: 15, "llava": 3 * (PICTURES - 5)}
    judged = await campaign.command("reparse")
    assert f"{PICTURES} images judged again, {3 * PICTURES} pairs; 0 images gained" in judged.out
    status = await campaign.status()
    assert (status["annotator"], status["pairs_by_model"]) == ("openai", told)


async def test_what_is_given_up_and_what_is_left_out_has_a_line_each(stage):
    campaign = await stage(fault=[{"kind": "safety", "at": (2,)}])
    assert (await campaign.run(limit=6, concurrency=1)).code == 0
    await campaign.run(questions=2, limit=1)
    out = str(campaign.folder / "qa.csv")
    refused = await campaign.command("export", "--out", out)
    assert refused.code == 2
    assert "several campaigns" in refused.err
    assert "2 questions" in refused.err
    result = await campaign.command("export", "--out", out, "--campaign", "1")
    lines = [line for line in result.out.splitlines() if line.startswith("left out: ")]
    assert len(lines) == 3, result.out
    assert "1 image given up" in lines[0]
    assert "--retry-dead" in lines[0]
    assert "6 images waiting" in lines[1]
    assert "campaign 2 " in lines[2]
