"""A campaign simulated on a clock that jumps, compared with what the quotas allow."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import date, datetime

import pytest

from curator.__main__ import app
from curator.forecast.plan import Assumptions, RequestTokens, Work, plan_object
from curator.forecast.simulation import Load, simulate
from shared.endpoints.keys.asked_model import AskedModel
from shared.endpoints.keys.key import Key
from shared.endpoints.keys.quota import LearnedLimit, Quota
from shared.endpoints.keys.quota_day import PACIFIC
from shared.endpoints.pool.records import Meter, ProjectRecord, ProjectUse
from shared.errors import InputError
from shared.program.cli import run_program
from tests.curator.pictures import write_abo

NOON = datetime(2026, 7, 1, 12, tzinfo=PACIFIC).timestamp()

METER = Meter("p-a", "m")
MODELS = [AskedModel("m")]


def key(label: str, project: str = "", **limits: int) -> Key:
    return Key(label, project or f"p-{label}", f"secret-of-{label}", Quota(**limits))


def load(requests: int, concurrency: int = 4, latency_s: float = 1.0) -> Load:
    return Load(requests, tokens={"m": 100}, latency_s=latency_s, concurrency=concurrency)


async def test_a_year_of_days_is_counted_as_the_quotas_say():
    keys = [key(f"k{n}", rpm=10, rpd=250) for n in range(12)]
    course = await simulate(keys, MODELS, load(398_212), NOON)
    assert [(one.days, set(one.requests.values())) for one in course.spans[:1]] == [(132, {250})]
    assert sum(one.days * sum(one.requests.values()) for one in course.spans) == 398_212
    last = course.spans[-1]
    assert last.first == date(2026, 11, 10)
    assert datetime.fromtimestamp(course.ends_at, PACIFIC).date() == last.first


@pytest.mark.parametrize("requests", [1, 7, 8, 9, 15, 16, 17, 100, 1003])
async def test_days_counted_at_once_end_as_days_gone_through_one_by_one(requests):
    keys = [key("a", rpm=1, rpd=5), key("b", rpd=3)]
    course = await simulate(keys, MODELS, load(requests), NOON)
    spread = [sum(one.requests.values()) for one in course.spans for _ in range(one.days)]
    whole, rest = divmod(requests, 8)
    assert spread == [8] * whole + ([rest] if rest else [])
    end = datetime.fromtimestamp(course.ends_at, PACIFIC).date()
    assert (end - date(2026, 7, 1)).days == len(spread) - 1


async def test_daylight_saving_shifts_no_day():
    start = datetime(2026, 10, 28, 12, tzinfo=PACIFIC).timestamp()
    course = await simulate([key("a", rpd=1)], MODELS, load(10, latency_s=0.0), start)
    end = datetime.fromtimestamp(course.ends_at, PACIFIC)
    assert end.replace(second=0) == datetime(2026, 11, 6, tzinfo=PACIFIC)


async def test_a_minute_limit_alone_takes_its_minutes():
    course = await simulate([key("a", rpm=10)], MODELS, load(600, latency_s=0.0), NOON)
    assert course.ends_at - NOON == pytest.approx(3600, abs=60)


async def test_without_limits_the_replies_are_waited_for():
    course = await simulate([key("a")], MODELS, load(100, concurrency=4, latency_s=2.0), NOON)
    assert course.ends_at - NOON == 50.0


async def test_what_was_used_and_learned_counts_against_the_first_day():
    used = {METER: ProjectUse(today=7)}
    learned = {METER: ProjectRecord(*METER, learned={"rpd": LearnedLimit(9, 10, NOON)})}
    course = await simulate([key("a", rpd=10)], MODELS, load(11), NOON, use=used, records=learned)
    assert [one.requests for one in course.spans] == [{METER: 2}, {METER: 9}]
    closed = {METER: ProjectRecord(*METER, blocked_until=NOON + 600)}
    course = await simulate([key("a")], MODELS, load(4, latency_s=2.0), NOON, records=closed)
    assert course.ends_at == NOON + 602


async def test_a_pace_that_lets_few_through_gives_every_key_of_a_project_its_share():
    keys = [key(f"{project}{n}", project, rpm=10, rpd=250) for project in "pqr" for n in range(4)]
    course = await simulate(keys, MODELS, load(398_212), NOON)
    assert [(one.days, one.requests) for one in course.spans[:1]] == [
        (530, {Meter(project, "m"): 250 for project in "pqr"})
    ]
    plan = plan_object(
        keys,
        Work(398_212, 0, {"m": RequestTokens(100, 10)}),
        course,
        Assumptions(4, 1.0, {"m": None}),
        NOON,
    )
    requests = [one["requests"] for one in plan["keys"]]
    assert sum(requests) == 398_212
    for at in (0, 4, 8):
        assert max(requests[at : at + 4]) - min(requests[at : at + 4]) <= 1
    each_day = [one["requests"] for one in plan["days"][0]["keys_each_day"].values()]
    assert sorted(each_day) == [62] * 6 + [63] * 6


async def test_a_request_that_no_key_can_take_is_bad_input():
    with pytest.raises(InputError, match="tpm"):
        await simulate([key("a", tpm=50)], MODELS, load(1), NOON)


def planned(tmp_path, capsys, *more: str) -> tuple[int, str, str]:
    write_abo(tmp_path / "abo", 12)
    (tmp_path / "keys.txt").write_text("AIzaSyKeyNumberOne001\nAIzaSyKeyNumberTwo002")
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    arguments = ["--catalog", str(tmp_path / "abo"), "--keys", str(tmp_path / "keys.txt"), *more]
    with pytest.raises(SystemExit) as ended:
        run_program(app, "curator", ["plan", *arguments])
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == before
    return ended.value.code, *capsys.readouterr()


def test_a_plan_tells_time_tokens_and_money(tmp_path, capsys):
    more = ("--rpd", "4", "--output-tokens", "500", "--json")
    code, out, err = planned(tmp_path, capsys, *more)
    assert code == 0, err
    plan = json.loads(out)
    tokens = plan["assumptions"]["input_tokens"]["gemini-3.5-flash-lite"]
    assert plan["images"] == plan["total"]["requests"] == 12
    assert [one["requests"] for one in plan["keys"]] == [6, 6]
    assert plan["total"]["input_tokens"] == 12 * tokens
    expected = (12 * tokens * 0.30 + 12 * 500 * 2.50) / 1e6
    assert plan["total"]["usd"] == pytest.approx(expected)
    assert [one["each_day"]["requests"] for one in plan["days"]] == [8, 4]
    assert plan["ends_at"] - plan["starts_at"] == plan["duration_s"] > 0


def test_a_plan_counts_second_opinions(tmp_path, capsys):
    *_, out, _ = planned(tmp_path, capsys, "--rpd", "4", "--json")
    alone = json.loads(out)
    *_, out, _ = planned(tmp_path, capsys, "--rpd", "4", "--verify", "0.1", "--json")
    verified = json.loads(out)
    assert (verified["images"], verified["second_opinions"]) == (12, 12)
    assert verified["total"]["requests"] == 24
    assert verified["duration_s"] > alone["duration_s"]
    # A question alone is a shorter request than the whole prompt.
    taken = verified["total"]["input_tokens"] / alone["total"]["input_tokens"]
    assert 1.3 < taken < 2.0
    _, out, _ = planned(tmp_path, capsys, "--verify", "0.1")
    assert "12 images and 12 second opinions" in out


def test_a_plan_counts_canaries_of_each_day_as_the_short_requests_that_they_are(tmp_path, capsys):
    *_, out, _ = planned(tmp_path, capsys, "--rpd", "4", "--output-tokens", "500", "--json")
    alone = json.loads(out)
    more = ("--rpd", "4", "--output-tokens", "500", "--canary", "2", "--json")
    *_, out, _ = planned(tmp_path, capsys, *more)
    watched = json.loads(out)
    # Eight a day of two keys, two of them canaries.
    assert [(one["days"], one["each_day"]["requests"]) for one in watched["days"]] == [(2, 8)]
    assert (watched["images"], watched["canaries"], watched["total"]["requests"]) == (12, 4, 16)
    for total in ("models", "keys"):
        assert sum(one["requests"] for one in watched[total]) == 16
        tokens = sum(one["output_tokens"] for one in watched[total])
        assert tokens == watched["total"]["output_tokens"]
    for kind in ("input_tokens", "output_tokens"):
        further = watched["total"][kind] - alone["total"][kind]
        assert 0 < further < 4 * alone["total"][kind] / 12
    (row,) = [row for row in watched["plans"] if row["plan"] == "standard"]
    assert (row["requests"], row["usd"]) == (16, watched["total"]["usd"])
    _, out, _ = planned(tmp_path, capsys, "--rpd", "4", "--canary", "2")
    assert "12 images, 4 canaries" in out


def test_canaries_that_leave_no_quota_for_images_are_refused(tmp_path, capsys):
    code, _, err = planned(tmp_path, capsys, "--rpd", "2", "--canary", "4")
    assert (code, "give fewer with --canary" in err) == (2, True)


async def test_canaries_take_their_share_of_each_models_days():
    models = [AskedModel("flash", Quota(rpd=20)), AskedModel("lite", Quota(rpd=500))]
    tokens = {"flash": 100, "lite": 100}
    # Of 520 requests a day, 20 are canaries; the ten images of the second day need one model alone.
    plain = Load(510, tokens, 1.0, 4, canaries=10)
    course = await simulate([key("a")], models, plain, NOON)
    first, last = course.spans
    assert first.requests == {("p-a", "flash"): 20, ("p-a", "lite"): 500}
    assert first.canaries == {("p-a", "flash"): 10, ("p-a", "lite"): 10}
    assert (last.requests, last.canaries) == ({("p-a", "flash"): 20}, {("p-a", "flash"): 10})
    asked = Load(490, tokens, 1.0, 4, canaries=10, asked_today=["flash"])
    (today, *_) = (await simulate([key("a")], models, asked, NOON)).spans
    assert today.canaries == {("p-a", "lite"): 10}


async def test_months_of_canaries_are_counted_at_once():
    course = await simulate([key("a", rpd=500)], MODELS, replace(load(40_000), canaries=20), NOON)
    days = sum(span.days for span in course.spans)
    assert days == math.ceil(40_000 / 480)
    assert sum(span.progress * span.days for span in course.spans) == 40_000
    assert {span.canaries["p-a", "m"] for span in course.spans} == {20}


async def test_the_quotas_of_several_models_add_up():
    models = [AskedModel("flash", Quota(rpd=20)), AskedModel("lite", Quota(rpd=500))]
    keys = [key("a", rpm=10), key("b", rpm=10)]
    many = Load(2 * 520 * 3, {"flash": 1120, "lite": 1120}, latency_s=1.0, concurrency=4)
    course = await simulate(keys, models, many, NOON)
    assert sum(span.days for span in course.spans) == 3
    assert course.spans[0].requests == {
        Meter(f"p-{label}", model.name): model.quota.rpd for label in "ab" for model in models
    }
    alone = await simulate(keys, models[:1], many, NOON)
    assert sum(span.days for span in alone.spans) == 2 * 520 * 3 / 40


async def test_a_model_that_a_project_may_not_use_is_left_aside():
    models = [AskedModel("flash"), AskedModel("lite")]
    course = await simulate([key("a")], models, Load(4, {"flash": 1, "lite": 1}, 1.0, 4), NOON)
    assert course.spans[0].requests == {("p-a", "flash"): 4}
    course = await simulate(
        [key("a")],
        models,
        Load(4, {"flash": 1, "lite": 1}, 1.0, 4),
        NOON,
        closed=[Meter("p-a", "flash")],
    )
    assert course.spans[0].requests == {("p-a", "lite"): 4}


def test_a_plan_of_several_models_tells_each_and_asks_the_first_first(tmp_path, capsys):
    models = ("--model", "gemini-3.5-flash", "--model", "gemini-3.5-flash-lite")
    _, out, _ = planned(tmp_path, capsys, "--rpd", "4", "--output-tokens", "100", "--json", *models)
    plan = json.loads(out)
    assert [(each["model"], each["requests"]) for each in plan["models"]] == [
        ("gemini-3.5-flash", 8),
        ("gemini-3.5-flash-lite", 4),
    ]
    assert len(plan["days"]) == 1
    assert [each["requests"] for each in plan["keys"]] == [6, 6]
    spent = [each["input_tokens"] for each in plan["models"]]
    expected = (spent[0] * 1.5 + 800 * 9 + spent[1] * 0.3 + 400 * 2.5) / 1e6
    assert plan["total"]["usd"] == pytest.approx(expected)
    assert sum(each["usd"] for each in plan["keys"]) == pytest.approx(expected)
    _, out, _ = planned(tmp_path, capsys, "--rpd", "4", *models)
    assert "Assumed for gemini-3.5-flash-lite" in " ".join(out.split())
    models = ("--model", "gemini-3.8-flash", "--model", "gemini-3.5-flash-lite")
    _, out, _ = planned(tmp_path, capsys, "--json", *models)
    # The first has no known price; the second is not needed, and costs nothing.
    assert [each["usd"] for each in json.loads(out)["models"]] == [None, 0.0]


def test_a_plan_of_free_quota_takes_the_limits_that_are_known(tmp_path, capsys):
    models = ("--model", "gemini-3.5-flash", "--model", "gemini-3.5-flash-lite")
    many = ("--free", "--verify", "1", "--questions", "50", "--json")
    code, out, err = planned(tmp_path, capsys, *many, *models)
    assert code == 0, err
    plan = json.loads(out)
    # Two projects, with 20 requests a day of the one model and 500 of the other.
    assert plan["total"]["requests"] == 12 + 600
    assert [(each["model"], each["requests"]) for each in plan["models"]] == [
        ("gemini-3.5-flash", 40),
        ("gemini-3.5-flash-lite", 572),
    ]
    code, _, err = planned(tmp_path, capsys, "--free", "--model", "gemini-3.1-pro")
    assert (code, "gemini-3.1-pro is not to be had without billing" in err) == (2, True)


def test_a_plan_for_another_annotator_needs_no_key(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    write_abo(tmp_path / "abo", 12)
    words = ["plan", "--catalog", str(tmp_path / "abo"), "--service", "openai", "--json"]
    with pytest.raises(SystemExit) as ended:
        run_program(app, "curator", [*words, "--concurrency", "4", "--latency", "10"])
    plan = json.loads(capsys.readouterr().out)
    assert ended.value.code == 0
    assert plan["duration_s"] == pytest.approx(30.0)
    assert plan["total"]["usd"] is None


def test_a_plan_is_shown_and_unknown_prices_are_not_made_up(tmp_path, capsys):
    code, out, _ = planned(tmp_path, capsys, "--model", "gemini-9", "--limit", "5")
    assert code == 0
    assert "5 images" in out
    assert "--price-in" in out
    code, _, err = planned(tmp_path, capsys, "--price-in", "1")
    assert code == 2
    assert "--price-out" in err
