"""Nothing settles an image but what the image causes; what all share ends the run and says so."""

from __future__ import annotations

import asyncio
import base64
import csv
import random
import shutil
from collections import Counter
from contextlib import asynccontextmanager

import pytest

from shared.endpoints.pool.exhaustion import OnExhausted
from tests.curator.campaigns import KEYS, Campaign
from tests.curator.pictures import write_abo
from tests.fakes.jumping_clock import JumpingClock
from tests.fakes.moody_server import (
    BAD_IMAGE,
    BLOCKED,
    GOOD,
    NO_JSON,
    OVERLOADED,
    QUESTIONS,
    USELESS,
    MoodyServer,
    refusal,
    reply,
)

A, B, C = KEYS
LAMP = QUESTIONS[0][0]


@pytest.fixture
def moody(tmp_path, capsys):
    """Open a campaign about so many pictures against a server of a mood."""

    @asynccontextmanager
    async def open_campaign(pictures, mood, *keys):
        catalog = write_abo(tmp_path / "abo", pictures)
        folder = tmp_path / "work"
        folder.mkdir(exist_ok=True)
        (folder / "keys.txt").write_text("\n".join(keys or (A,)))
        server = MoodyServer(mood)
        async with server.serving() as url:
            yield Campaign(folder, catalog, server, url, capsys), server

    return open_campaign


async def waits(campaign, pictures) -> bool:
    progress = (await campaign.status())["progress"]
    return (progress["pending"], progress["dead"]) == (pictures, 0)


@pytest.mark.parametrize(("pictures", "most"), [(1, 5), (3, 15), (6, 24), (40, 24)])
async def test_useless_replies_alone_end_the_run_and_give_nothing_up(moody, pictures, most):
    async with moody(pictures, lambda key, n: USELESS) as (campaign, server):
        for turn in (1, 2):
            result = await campaign.run(concurrency=4)
            assert result.code == 1
            last = result.err.splitlines()[-1]
            assert "no pair passed the rules" in last
            assert "nobody asked for" in last
            assert "run the same command again" in last
            assert await waits(campaign, pictures)
            assert server.asked.total() <= most * turn
        # Once it is mended, all of them are as new.
        server.mood = lambda key, n: GOOD
        assert (await campaign.run()).code == 0
        assert (await campaign.status())["progress"]["done"] == pictures


@pytest.mark.parametrize("pictures", [1, 3, 40])
async def test_a_refusal_of_every_request_is_the_campaigns(moody, pictures):
    async with moody(pictures, lambda key, n: NO_JSON, A, B, C) as (campaign, server):
        result = await campaign.run(concurrency=4)
        assert result.code == 2, result.err
        assert "JSON mode is not enabled" in result.err.splitlines()[-1]
        assert await waits(campaign, pictures)
        assert server.asked.total() <= 24 * 2


@pytest.mark.parametrize("bad", [USELESS, OVERLOADED, NO_JSON])
async def test_one_bad_key_of_three_gives_no_image_up(moody, bad):
    async with moody(40, lambda key, n: bad if key == A else GOOD, A, B, C) as (campaign, _):
        result = await campaign.run(JumpingClock(), concurrency=4)
        assert result.code == 0, result.err
        assert (await campaign.status())["progress"]["done"] == 40


async def test_a_key_that_brings_nothing_leaves_while_others_work(moody):
    async with moody(150, lambda key, n: USELESS if key == A else GOOD, A, B) as (campaign, server):
        result = await campaign.run(concurrency=4)
        assert result.code == 0, result.err
        assert server.asked[A] <= 30
        [key] = [key for key in (await campaign.status())["keys"] if key["removed_because"]]
        assert "none of 20 requests came to anything" in key["removed_because"]


async def test_a_campaign_that_bore_fruit_ends_when_it_no_longer_does(moody):
    async with moody(100, lambda key, n: GOOD if n < 2 else USELESS) as (campaign, server):
        result = await campaign.run(concurrency=4)
        assert result.code == 1
        assert "60 requests in a row failed" in result.err.splitlines()[-1]
        assert (await campaign.status())["progress"] == {
            "pending": 98, "done": 2, "dead": 0, "total": 100,
        }  # fmt: skip
        assert server.asked.total() <= 70
        # It begins with what it saw last.
        assert (await campaign.run(concurrency=4)).code == 1
        assert server.asked.total() <= 70 + 24


async def test_images_that_are_refused_while_others_are_not_are_given_up(moody):
    def mood(key, n):
        return {3: BLOCKED, 5: BAD_IMAGE}.get(n, GOOD)

    async with moody(12, mood) as (campaign, _):
        result = await campaign.run(concurrency=1)
        assert result.code == 0
        assert "2 images given up" in result.err
        assert "--retry-dead" in result.err
        status = await campaign.status()
        assert status["progress"]["dead"] == sum(status["given_up"].values()) == 2
        assert "Unable to process" in " ".join(status["given_up"])
        assert "2 images given up" in (await campaign.command("status")).out


async def test_a_run_of_nothing_but_dead_letters_fails(moody):
    async with moody(4, lambda key, n: GOOD) as (campaign, server):
        assert (await campaign.run(limit=3)).code == 0
        server.mood = lambda key, n: BLOCKED
        result = await campaign.run()
        assert result.code == 1
        assert result.err.splitlines()[-1].startswith("curator: no image was done; 1 image given")
        assert "--retry-dead" in result.err.splitlines()[-1]


@pytest.mark.parametrize("pictures", [1, 3, 6, 40])
@pytest.mark.parametrize("lasts_s", [5, 45, 600])
async def test_an_outage_costs_no_image_however_few_there_are(moody, pictures, lasts_s):
    clock = JumpingClock()
    ends_at = clock.time + lasts_s

    def mood(key, n):
        return OVERLOADED if clock.time < ends_at else GOOD

    async with moody(pictures, mood, A, B) as (campaign, server):
        result = await campaign.run(clock, concurrency=16)
        assert result.code == 0, result.err
        assert (await campaign.status())["progress"]["done"] == pictures
        assert clock.time < ends_at + 2 * 60
        assert server.asked.total() < pictures + 60


async def test_a_service_that_stays_down_ends_the_run_for_now(moody):
    clock = JumpingClock()
    begun = clock.time
    async with moody(6, lambda key, n: OVERLOADED) as (campaign, server):
        result = await campaign.run(clock, concurrency=4)
        assert result.code == 75
        last = result.err.splitlines()[-1]
        assert "has not answered for 3" in last
        assert "overloaded" in last
        assert "run the same command again" in last
        assert 1_800 <= clock.time - begun < 2_000
        assert await waits(campaign, 6)
        assert server.asked.total() < 100


async def test_who_waits_for_keys_waits_for_the_service_too(moody):
    clock = JumpingClock()
    ends_at = clock.time + 3 * 3_600

    def mood(key, n):
        return OVERLOADED if clock.time < ends_at else GOOD

    async with moody(3, mood) as (campaign, _):
        result = await campaign.run(clock, on_exhausted=OnExhausted.WAIT)
        assert result.code == 0, result.err
        assert (await campaign.status())["progress"]["done"] == 3


@pytest.mark.parametrize("workers", [1, 4])
async def test_an_image_that_the_service_fails_on_is_given_up_while_others_succeed(moody, workers):
    failed = Counter()

    def mood(key, n):
        poison.setdefault("image", server.image)
        if server.image != poison["image"]:
            return GOOD
        failed[key] += 1
        return refusal(500, "INTERNAL", "An internal error has occurred.")

    poison: dict[str, str] = {}
    async with moody(150, mood, A, B) as (campaign, server):
        result = await campaign.run(JumpingClock(), concurrency=workers)
        assert result.code == 0, result.err
        status = await campaign.status()
        assert (status["progress"]["done"], status["progress"]["dead"]) == (149, 1)
        assert "An internal error" in " ".join(status["given_up"])
        assert 5 <= failed.total() <= 8


@pytest.mark.parametrize("share", [0.5, 0.75])
async def test_a_service_that_fails_now_and_then_costs_no_image(moody, share):
    draw = random.Random(11)

    def mood(key, n):
        return OVERLOADED if draw.random() < share else GOOD

    async with moody(60, mood) as (campaign, _):
        result = await campaign.run(JumpingClock(), concurrency=16)
        assert result.code == 0, result.err
        assert (await campaign.status())["progress"]["done"] == 60


@pytest.mark.parametrize(("pictures", "outage", "told"), [(60, 0, 1), (60, 12, 2)])
async def test_failures_now_and_then_are_told_once_and_an_outage_again(
    moody, pictures, outage, told
):
    def mood(key, n):
        return OVERLOADED if n % 5 == 0 or 30 < n <= 30 + outage else GOOD

    async with moody(pictures, mood) as (campaign, _):
        assert (await campaign.run(JumpingClock(), concurrency=1)).code == 0
        log = (campaign.folder / "campaign.db.log.jsonl").read_text()
    assert log.count('"service_unavailable"') == told


@pytest.mark.parametrize(("pictures", "bad", "keys"), [(6, 1, (A,)), (20, 3, (A, B, C))])
async def test_images_that_the_service_fails_on_are_given_up_when_nothing_else_is_left(
    moody, pictures, bad, keys
):
    poison: list[str] = []

    def mood(key, n):
        if len(poison) < bad and server.image not in poison:
            poison.append(server.image)
        if server.image in poison:
            return refusal(500, "INTERNAL", "An internal error has occurred.")
        return GOOD

    async with moody(pictures, mood, *keys) as (campaign, server):
        clock = JumpingClock()
        begun = clock.time
        result = await campaign.run(clock, concurrency=16)
        assert result.code == 0, result.err
        status = await campaign.status()
        assert (status["progress"]["done"], status["progress"]["dead"]) == (pictures - bad, bad)
        assert "bring" in result.err
        assert "--retry-dead" in result.err
        assert clock.time - begun < 600
        assert server.asked.total() < pictures + 30 * bad


async def test_many_images_that_the_service_fails_on_are_given_up_soon(moody):
    poison: dict[str, bool] = {}

    def mood(key, n):
        if poison.setdefault(server.image, len(poison) % 3 == 0):
            return refusal(500, "INTERNAL", "An internal error has occurred.")
        return GOOD

    async with moody(90, mood, A, B) as (campaign, server):
        clock = JumpingClock()
        begun = clock.time
        result = await campaign.run(clock, concurrency=8)
        assert result.code == 0, result.err
        progress = (await campaign.status())["progress"]
        assert (progress["done"], progress["dead"]) == (60, 30)
        assert server.asked.total() < 60 + 30 * 14
        assert clock.time - begun < 300


class AnsweredMeanwhile:
    """A mood: two images fail, and while the third proves anew that it serves, one is answered."""

    def __init__(self, is_refused):
        self.is_refused = is_refused
        self.server = None
        self.colours = dict(zip(["red", "green", "blue"], [""] * 3, strict=True))
        self.failed, self.proofs = Counter(), Counter()
        self.another_was_answered = asyncio.Event()

    async def __call__(self, key, n):
        image = self.server.image
        if image not in self.colours.values():
            self.colours[next(colour for colour, of in self.colours.items() if not of)] = image
        [colour] = [colour for colour, of in self.colours.items() if of == image]
        right = reply([*QUESTIONS[1:], (LAMP, colour)])
        if colour != "red":
            self.failed[colour] += 1
            if self.failed[colour] <= 3:
                return OVERLOADED
            self.another_was_answered.set()
        elif self.failed:
            # Asked again in place of an image that failed; the second time it takes longer.
            self.proofs[image] += 1
            if self.proofs[image] == 2:
                await self.another_was_answered.wait()
                return BAD_IMAGE if self.is_refused else right
        return right


@pytest.mark.parametrize("is_refused", [False, True])
async def test_what_shows_that_the_service_answers_is_no_word_on_the_image_it_stood_in_for(
    moody, is_refused
):
    # Where both fail at the same moment, one proof may serve both.
    for _ in range(10):
        mood = AnsweredMeanwhile(is_refused)
        async with moody(3, mood) as (campaign, mood.server):
            result = await campaign.run(JumpingClock(), concurrency=2)
            assert result.code == 0, result.err
            out = campaign.folder / "out.csv"
            assert (await campaign.command("export", "--out", str(out))).code == 0
            images = campaign.catalog / "images" / "small"
            with out.open(newline="") as file:
                pairs = [row for row in csv.DictReader(file) if row["question"] == LAMP]
            content = {row["answer"]: (images / row["filename"]).read_bytes() for row in pairs}
            told = {colour: base64.b64encode(jpeg).decode() for colour, jpeg in content.items()}
            assert told == mood.colours
        if mood.proofs.total() > 1:
            return
        shutil.rmtree(campaign.folder)
    pytest.fail("the second proof never came")


async def test_a_wrong_page_between_good_replies_is_no_wrong_address(moody):
    def mood(key, n):
        return refusal(404, "NOT_FOUND", "Not Found") if n in {2, 5} else GOOD

    async with moody(8, mood) as (campaign, _):
        result = await campaign.run(JumpingClock(), concurrency=1)
        assert result.code == 0, result.err
        assert (await campaign.status())["progress"]["done"] == 8


def by_model(moods):
    """Return a mood that goes by the model; the server is put in later."""
    servers = []
    return servers, lambda key, n: moods[servers[0].model]


NOT_SEEN = refusal(400, "INVALID_ARGUMENT", "Image input is not enabled for models/blind")


@pytest.mark.parametrize("bad", [NOT_SEEN, USELESS], ids=["refused", "useless"])
@pytest.mark.parametrize("pictures", [6, 40])
async def test_a_model_of_which_nothing_comes_gives_no_image_up(moody, bad, pictures):
    servers, mood = by_model({"blind": bad, "seeing": GOOD})
    async with moody(pictures, mood, *KEYS) as (campaign, server):
        servers.append(server)
        result = await campaign.run(models=["blind", "seeing"], concurrency=4)
        status = await campaign.status()
        if pictures == 40:
            # After twenty tries the other model is asked, about all.
            assert result.code == 0, result.err
            assert status["progress"]["done"] == 40
            assert "model_brings_nothing" in result.err
            blind = {quota["model"]: quota for quota in status["quotas"]}["blind"]
            assert "none of 20 requests came to anything" in blind["refused_because"]
            assert [key["state"] for key in status["keys"]] == ["ready"] * 3
            assert sum(server.asked.values()) <= 40 + 30
        assert status["progress"]["dead"] == 0


async def test_a_second_model_of_which_nothing_comes_closes_and_costs_no_image(moody):
    servers, mood = by_model({"seeing": GOOD, "blind": USELESS})
    async with moody(200, mood, A) as (campaign, server):
        servers.append(server)
        (campaign.folder / "keys.toml").write_text(
            f"[[key]]\nlabel = 'a'\napi_key = '{A}'\nrpm = 6000\n[[model]]\nname = 'seeing'\n"
            "rpm = 600\n[[model]]\nname = 'blind'"
        )
        clock = JumpingClock()
        result = await campaign.run(
            clock, keys=campaign.folder / "keys.toml", models=[], concurrency=4
        )
        assert result.code == 0, result.err
        status = await campaign.status()
        assert status["progress"]["done"] == 200
        assert status["keys"][0]["state"] == "ready"
        assert "model_brings_nothing" not in result.err
        useless = status["attempts_by_model"]["blind"]["unusable"]
        assert 20 <= useless <= 24
