"""Second opinions: the same pairs in every run, one request each, kept through any stop."""

from __future__ import annotations

import json
import random
import sqlite3
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curator.judging.facts import Form
from curator.judging.judge import judge_answer
from curator.judging.parser import ParsedAnswer, Unparsable, parse_answer
from curator.ledger.queue.functions import pair_share
from curator.ledger.records.work import PairItem, WorkState
from curator.pairs.second_opinions import opinion_change
from curator.prompts.languages.language import language_of
from curator.prompts.prompt import Prompt
from shared.corpus import read_pairs
from shared.dataset.agreement_rate import AgreementRate, wilson_interval
from shared.endpoints.models.known import packaged_models
from shared.endpoints.protocols.annotator import Reply
from shared.endpoints.token_estimates import TokenEstimates
from shared.records import ImageRef, Listing
from tests.curator.campaigns import PICTURES, Campaign, ended, until_requests

PAIRS = 3 * PICTURES


@pytest.mark.parametrize(
    ("text", "answer", "form"),
    [
        ('{"answer": "Dark  red"}', "Dark red", Form.JSON),
        ('{"Answer": 4}', "4", Form.JSON),
        ('Sure.\n```json\n{"answer": "red"}\n```', "red", Form.FENCED),
        ("red.", "red", Form.LIST),
        ("**Answer:** red", "red", Form.LIST),
    ],
)
def test_the_answer_to_one_question_is_read(text: str, answer: str, form: Form) -> None:
    assert parse_answer(text) == ParsedAnswer(answer, form)


@pytest.mark.parametrize("text", ["", "{}", '{"answer": ""}', '{"answer": "re', "so " * 200, "..."])
def test_a_reply_without_an_answer_is_a_typed_rejection(text: str) -> None:
    assert isinstance(parse_answer(text), Unparsable)


@given(st.text() | st.text('{}":answer \n\ud800'))
def test_any_reply_to_one_question_is_read_or_rejected(text: str) -> None:
    parsed = parse_answer(text)
    if isinstance(parsed, ParsedAnswer):
        parsed.answer.encode()
        assert parsed.answer.strip()


def test_the_same_pairs_are_below_a_share_evenly_and_in_all_larger_ones() -> None:
    shares = [pair_share(f"{n}.jpg", "What is it?") for n in range(4000)]
    assert shares == [pair_share(f"{n}.jpg", "What is it?") for n in range(4000)]
    assert sum(share < 0.25 for share in shares) == pytest.approx(1000, abs=100)


def test_a_second_opinion_is_asked_without_answer_and_listing() -> None:
    request = Prompt(3, 2).question_request("What colour is it?", b"jpeg", 256)
    assert request.closing_text == "Question: What colour is it?"
    assert "at most 2 words" in request.prompt_text
    assert "Catalogue" not in request.prompt_text
    models = packaged_models()
    assert TokenEstimates(models.tile).input_tokens(models.known("llava"), request.measure) > 258


@pytest.mark.parametrize(
    ("first", "second", "agrees"),
    [
        ("red", "Red.", True),
        ("red", "dark red", False),
        ("t-shirt", "T shirt", True),
        ("two", "2", True),
        ("two", "3", False),
    ],
)
def test_answers_are_compared_by_what_they_say(first: str, second: str, agrees: bool) -> None:
    item = PairItem(1, Listing("L", ImageRef("i", "p.jpg")), 0, "What is it?", first)
    reply = Reply("", json.dumps({"answer": second}), "STOP", 1, 1, 0)
    judgement = judge_answer(reply, first, language_of("en"))
    change = opinion_change(1, item, WorkState.DONE, failures=0, judgement=judgement)
    assert (change.agrees, change.answer) == (agrees, second)


def test_the_interval_is_wilsons_where_each_image_has_one_opinion() -> None:
    rate = AgreementRate()
    for number in range(100):
        rate.add_image(1, int(number < 90))
    # Newcombe, Stat. Med. 17 (1998): 90 of 100.
    low, high = rate.interval() or (0.0, 0.0)
    assert (rate.rate, low, high) == (
        0.9,
        pytest.approx(0.8256, abs=2e-3),
        pytest.approx(0.9448, abs=2e-3),
    )


def test_opinions_that_stand_or_fall_together_count_less() -> None:
    together, apart = AgreementRate(), AgreementRate()
    for number in range(100):
        together.add_image(5, 5 if number < 80 else 0)
        apart.add_image(5, 4)
    assert together.rate == apart.rate == 0.8
    assert together.interval() == pytest.approx(wilson_interval(0.8, 99), abs=1e-3)
    assert apart.interval() == pytest.approx(wilson_interval(0.8, 500), abs=1e-9)
    none, all_alike = AgreementRate(), AgreementRate()
    all_alike.add_image(3, 3)
    assert (none.rate, none.interval()) == (None, None)
    low, high = all_alike.interval() or (1.0, 0.0)
    assert 0.0 < low < high == 1.0


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    dice, hits = random.Random(0), 0
    for _ in range(400):
        rate = AgreementRate()
        for _ in range(60):
            of_image = dice.betavariate(6, 1.5)
            rate.add_image(4, sum(dice.random() < of_image for _ in range(4)))
        low, high = rate.interval() or (1.0, 0.0)
        hits += low <= 0.8 <= high
    assert 0.92 <= hits / 400 <= 0.98


async def opinions(campaign: Campaign) -> dict:
    return (await campaign.status())["second_opinions"]


async def test_each_question_is_sent_back_once_and_what_came_is_exported(stage):
    faults = [
        {"kind": "wrong_answer", "at": (PICTURES + 1, PICTURES + 5)},
        {"kind": "internal", "at": (PICTURES + 2,)},
        {"kind": "safety", "at": (PICTURES + 4,)},
        {"kind": "fenced", "at": (PICTURES + 6,)},
    ]
    campaign = await stage(fault=faults)
    result = await campaign.run(verify=1.0, concurrency=1)
    assert result.code == 0, result.err
    told = {"waiting": 0, "agrees": PAIRS - 3, "disagrees": 2, "given_up": 1}
    assert await opinions(campaign) == told
    assert campaign.requests == PICTURES + PAIRS + 1
    assert campaign.server.stats()["images"]["repeats"] == 0
    status = await campaign.status()
    assert sum(status["attempts"].values()) == campaign.requests
    assert sum(status["replies"]["by_form"].values()) == PICTURES
    assert (await campaign.run(verify=1.0)).code == 0
    assert campaign.requests == PICTURES + PAIRS + 1

    out = campaign.folder / "qa.parquet"
    assert (await campaign.command("export", "--out", str(out))).code == 0
    pairs = read_pairs(out)
    wrong = [pair for pair in pairs if pair.second_opinion == "disagrees"]
    assert all(pair.second_answer not in {"", pair.answer} for pair in wrong)
    assert [pair.second_opinion for pair in pairs].count("") == 1
    assert all(p.second_answer == p.answer for p in pairs if p.second_opinion == "agrees")

    with closing(sqlite3.connect(campaign.ledger)) as database:
        database.execute("UPDATE second_opinions SET answer = 'old', agrees = 0 WHERE state = 1")
        database.commit()
    assert (await campaign.command("reparse")).code == 0
    assert await opinions(campaign) == told
    assert campaign.requests == PICTURES + PAIRS + 1
    assert (await campaign.run(verify=1.0, retry_dead=True)).code == 0
    assert (await opinions(campaign))["given_up"] == 0
    assert campaign.requests == PICTURES + PAIRS + 2


async def test_a_larger_share_asks_only_about_the_rest(stage):
    campaign = await stage()
    assert (await campaign.run()).code == 0
    assert (await campaign.run(verify=0.4)).code == 0
    first = (await opinions(campaign))["agrees"]
    assert 0 < first < PAIRS
    assert (await campaign.run(verify=0.2)).code == 0
    assert campaign.requests == PICTURES + first
    assert (await campaign.run(verify=0.7)).code == 0
    second = (await opinions(campaign))["agrees"]
    assert first < second < PAIRS
    assert campaign.requests == PICTURES + second


@pytest.mark.slow
async def test_a_kill_loses_no_second_opinion_and_repeats_only_what_was_in_flight(stage):
    campaign = await stage(latency={"mean_ms": 50})
    process = await campaign.start("--verify", "1")
    await until_requests(campaign, PICTURES + 8)
    process.kill()
    await ended(process)
    assert (await campaign.run(verify=1.0)).code == 0
    assert await opinions(campaign) == {
        "waiting": 0,
        "agrees": PAIRS,
        "disagrees": 0,
        "given_up": 0,
    }
    assert campaign.requests <= PICTURES + PAIRS + 2


async def test_second_opinions_are_counted_in_the_quota(stage):
    campaign = await stage(unlisted_quota={"rpd": 10})
    keys = "\n".join(
        f'[[key]]\nlabel = "k{n}"\napi_key = "AIzaSyKeyNumber{n}"\nrpd = 10' for n in range(3)
    )
    (campaign.folder / "keys.toml").write_text(keys)
    result = await campaign.run(verify=1.0, keys=campaign.folder / "keys.toml")
    assert result.code == 75, result.err
    # The worker that finds the quota spent stops the other, maybe just before it sends.
    assert 30 - 1 <= campaign.requests <= 30
    assert "429" not in json.dumps(campaign.server.stats()["statuses"])
    assert (await opinions(campaign))["waiting"] == PAIRS - (campaign.requests - PICTURES)
