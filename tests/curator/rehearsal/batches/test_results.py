"""What goes wrong with the results of jobs, request by request."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.curator.rehearsal.batches.calls import (
    client,
    faults,
    four,
    lines,
    made,
    operation,
    request,
    results,
    text,
)
from tests.curator.rehearsal.conftest import KNOWN, MODEL, Play


def shown(line: dict[str, Any]) -> str:
    """Return which image a line of results is about."""
    answer = json.loads(text(line))[0]["answer"]
    return str(answer)


async def played(play: Play, **batch: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the results of a job of four requests, and the figures."""
    async with play(batch=batch) as stage:
        sdk = client(stage)
        return await results(sdk, await made(sdk, four(stage))), await stage.stats()


async def test_results_come_in_another_order(play: Play):
    rows, figures = await played(play, **faults("shuffled"))
    keys = [row["key"] for row in rows]
    assert sorted(keys) == list("abcd") != keys
    assert {row["key"]: shown(row) for row in rows} == {
        "a": "shoe",
        "b": "lamp",
        "c": "shoe",
        "d": "lamp",
    }
    assert figures["batch"]["requests"] == {"answered": 4}


async def test_a_result_comes_under_the_key_of_another(play: Play):
    rows, figures = await played(play, **faults("swapped"))
    assert {row["key"]: shown(row) for row in rows} == {
        "a": "lamp",
        "b": "shoe",
        "c": "shoe",
        "d": "lamp",
    }
    assert figures["batch"]["requests"] == {"answered": 2, "swapped": 2}
    assert figures["images"]["answered"] == 2
    assert figures["images"]["repeats"] == 0


async def test_a_result_is_missing(play: Play):
    rows, figures = await played(play, **faults("missing"))
    assert [row["key"] for row in rows] == list("bcd")
    assert figures["batch"]["requests"] == {"answered": 3, "missing": 1}
    assert figures["tokens"]["output"] > 0


async def test_an_error_comes_in_the_place_of_a_result(play: Play):
    rows, figures = await played(play, **faults("row_error"))
    assert rows[0]["key"] == "a"
    assert rows[0]["error"]["code"] == 13
    assert "response" not in rows[0]
    assert figures["batch"]["requests"] == {"answered": 3, "row_error": 1}


async def test_a_result_comes_twice_and_one_is_cut_off(play: Play):
    rows, figures = await played(play, **faults("twice"))
    assert [row["key"] for row in rows] == list("aabcd")
    assert figures["images"]["repeats"] == 2, "two requests about each of two images"
    async with play(batch=faults("broken_line")) as stage:
        sdk = client(stage)
        job = await made(sdk, four(stage))
        job = await sdk.aio.batches.get(name=job.name)
        content = await sdk.aio.files.download(file=job.dest.file_name)
        figures = await stage.stats()
    first, *rest = content.splitlines()
    with pytest.raises(json.JSONDecodeError):
        json.loads(first)
    assert [json.loads(line)["key"] for line in rest] == list("bcd")
    assert figures["batch"]["requests"] == {"answered": 3, "broken_line": 1}


@pytest.mark.parametrize(
    ("kind", "reason"), [("safety", "SAFETY"), ("max_tokens", "MAX_TOKENS"), ("nonsense", "STOP")]
)
async def test_the_model_writes_something_else(play: Play, kind: str, reason: str):
    rows, figures = await played(play, **faults(kind))
    assert rows[0]["response"]["candidates"][0]["finishReason"] == reason
    assert figures["batch"]["requests"] == {"answered": 3, kind: 1}


async def test_faults_strike_by_share(play: Play):
    batch = {"fault": [{"kind": "missing", "rate": 0.3}, {"kind": "row_error", "rate": 0.2}]}
    async with play(batch=batch, seed=2) as stage:
        sdk = client(stage)
        for _ in range(10):
            await made(sdk, four(stage))
        counted = (await stage.stats())["batch"]["requests"]
    assert sum(counted.values()) == 40
    assert 4 <= counted["missing"] <= 22
    assert 2 <= counted["row_error"] <= 16


async def test_a_request_that_is_wrong_is_an_error_among_the_results(play: Play):
    async with play(model=[{"name": MODEL, "json_mode": False}]) as stage:
        sdk = client(stage)
        image, broken = request(stage.image), request(b"no image")
        image["generationConfig"] = {}
        broken["generationConfig"] = {}
        content = lines(
            [
                ("json", request(stage.image)),
                ("image", broken),
                ("field", {"contents": [], "model_name": "x"}),
                ("good", image),
            ]
        )
        rows = {row["key"]: row for row in await results(sdk, await made(sdk, content))}
        counted = (await stage.stats())["batch"]["requests"]
    assert "JSON mode is not enabled" in rows["json"]["error"]["message"]
    assert rows["image"]["error"]["code"] == 3
    assert "modelName" in rows["field"]["error"]["message"]
    assert "response" in rows["good"]
    assert counted == {"answered": 1, "refused": 3}


async def test_a_model_that_retires_in_the_meantime(play: Play):
    async with play() as stage:
        now = datetime.fromtimestamp(stage.clock.now(), UTC)
    table = {"name": MODEL, "retires": now + timedelta(hours=1)}
    async with play(model=[table], batch={"running_s": 7200}) as stage:
        sdk = client(stage)
        job = await made(sdk, four(stage))
        stage.clock.advance(7200)
        rows = await results(sdk, job)
        _, told = await operation(stage, job.name)
    assert {row["error"]["code"] for row in rows} == {5}
    assert told["metadata"]["batchStats"] == {"requestCount": "4", "failedRequestCount": "4"}


async def test_images_are_counted_once_over_both_doors(play: Play):
    async with play() as stage:
        await made(client(stage), lines([("shoe", request(stage.image))]))
        await stage.ask(image=stage.other)
        figures = await stage.stats()
    assert figures["images"] == {
        "answered": len(KNOWN),
        "repeats": 0,
        "request_repeats": 0,
        "ambiguous": 0,
    }
