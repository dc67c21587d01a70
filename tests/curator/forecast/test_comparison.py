"""The ways to do a campaign are told side by side: free keys alone, standard, flex and batch."""

from __future__ import annotations

import json

import pytest

from curator.__main__ import app
from shared.program.cli import run_program
from tests.curator.pictures import write_abo

LITE, FLASH, PRICELESS = "gemini-3.5-flash-lite", "gemini-3.6-flash", "gemini-3.8-flash"
PICTURES = 60
PLANS = ["free keys", "standard", "flex", "batch"]


@pytest.fixture
def planned(tmp_path, capsys):
    """Plan for so many pictures with one key; return the object, or what is shown."""
    catalog = write_abo(tmp_path / "abo", PICTURES)
    keys = tmp_path / "keys.txt"
    keys.write_text("AIzaSyKeyNumberOne001")

    def plan(*more: str, is_json: bool = True):
        words = ["plan", "--catalog", str(catalog), "--keys", str(keys), *more]
        with pytest.raises(SystemExit) as ended:
            run_program(app, "curator", [*words, "--json"] if is_json else words)
        told = capsys.readouterr()
        assert ended.value.code == 0, told.err
        return json.loads(told.out) if is_json else " ".join(told.out.split())

    return plan


def rows(plan) -> dict[str, dict]:
    assert [row["plan"] for row in plan["plans"]] == PLANS
    return {row["plan"]: row for row in plan["plans"]}


def test_flex_and_batch_cost_half_and_free_keys_nothing(planned):
    plan = planned("--model", FLASH, "--rpd", "1000")
    by_plan = rows(plan)
    each = plan["assumptions"]["input_tokens"][FLASH], plan["assumptions"]["output_tokens"][FLASH]
    full = PICTURES * (each[0] * 1.50 + each[1] * 7.50) / 1e6
    assert by_plan["standard"]["usd"] == plan["total"]["usd"] == pytest.approx(full)
    assert by_plan["flex"]["usd"] == by_plan["batch"]["usd"] == pytest.approx(full / 2)
    assert by_plan["free keys"]["usd"] == 0
    assert {row["requests"] for row in by_plan.values()} == {PICTURES}
    assert {row["input_tokens"] for row in by_plan.values()} == {PICTURES * each[0]}


def test_each_plan_takes_its_time_under_its_own_quotas(planned):
    by_plan = rows(planned("--model", FLASH, "--rpd", "1000"))
    # 20 free requests a day: the third day's quota is needed.
    assert 24 * 3600 < by_plan["free keys"]["duration_s"] < 3 * 24 * 3600
    assert by_plan["standard"]["duration_s"] == 4 * 5
    assert by_plan["flex"]["duration_s"] == 900
    assert by_plan["batch"]["duration_s"] == 24 * 3600
    assert [by_plan[name]["is_at_most"] for name in PLANS] == [False, False, True, True]


def test_several_models_share_the_work_of_each_plan(planned):
    by_plan = rows(planned("--model", FLASH, "--model", LITE, "--rpd", "50"))
    assert by_plan["free keys"]["requests_by_model"] == {FLASH: 20, LITE: 40}
    assert by_plan["standard"]["requests_by_model"] == {FLASH: 50, LITE: 10}
    assert by_plan["batch"]["requests_by_model"] == {FLASH: 60}


def test_thinking_and_detail_count_in_every_plan(planned):
    usual = rows(planned("--model", FLASH))
    coarse = rows(planned("--model", FLASH, "--image-detail", "low"))
    for name in PLANS:
        assert coarse[name]["input_tokens"] == usual[name]["input_tokens"] - PICTURES * 840


def test_what_is_not_known_is_told_and_why(planned):
    by_plan = rows(planned("--model", PRICELESS))
    assert [by_plan[name]["usd"] for name in PLANS] == [0, None, None, None]
    assert f"no price of {PRICELESS} is known" in by_plan["flex"]["notes"]
    assert any("no limits" in note for note in by_plan["standard"]["notes"])
    shown = planned("--model", PRICELESS, is_json=False)
    assert f"standard, flex, batch: no price of {PRICELESS} is known." in shown
    assert "plans compared" in shown
    assert "up to 15 min" in shown


def test_a_plan_that_cannot_be_is_told_beside_the_others(planned, tmp_path):
    models = tmp_path / "models.toml"
    models.write_text(
        "[[model]]\nname = 'house'\ntiers = ['standard']\nfree.rpd = 0\n"
        "price = { input_usd = 1, output_usd = 2 }\n"
    )
    by_plan = rows(planned("--models", str(models), "--model", "house"))
    assert by_plan["standard"]["usd"] > 0
    for name, why in {
        "free keys": "house is not to be had without billing",
        "flex": "house takes standard",
        "batch": "house takes standard",
    }.items():
        assert by_plan[name]["notes"] == [why]
        assert [by_plan[name][figure] for figure in ("duration_s", "requests", "usd")] == [None] * 3


def test_prices_of_ones_own_are_shared_by_tier(planned):
    prices = ["--input-price", "1", "--output-price", "2"]
    by_plan = rows(planned("--model", PRICELESS, *prices))
    assert by_plan["flex"]["usd"] == pytest.approx(by_plan["standard"]["usd"] / 2)


def test_the_tier_that_is_asked_for_is_planned_in_whole(planned):
    plan = planned("--model", FLASH, "--tier", "flex", "--latency", "60", "--concurrency", "10")
    by_plan = rows(plan)
    assert plan["duration_s"] == by_plan["flex"]["duration_s"] == 6 * 60
    assert plan["total"]["usd"] == by_plan["flex"]["usd"]
    assert by_plan["standard"]["duration_s"] == 4 * 5


def test_a_batch_is_planned_without_the_quotas_of_plain_requests(planned):
    plan = planned("--model", FLASH, "--model", LITE, "--tier", "batch", "--rpd", "5")
    assert plan["duration_s"] == rows(plan)["batch"]["duration_s"] == 24 * 3600
    assert plan["total"] == {
        name: rows(plan)["batch"][name]
        for name in ("requests", "input_tokens", "output_tokens", "usd")
    }
    assert [each["requests"] for each in plan["models"]] == [PICTURES, 0]


def test_a_name_that_is_in_no_catalogue_is_told_with_its_nearest(planned):
    plan = planned("--model", "gemini-3.5-flash-light")
    assert plan["not_listed"]["gemini-3.5-flash-light"][0] == LITE
    shown = planned("--model", "gemini-3.5-flash-light", is_json=False)
    assert f"in no catalogue of models; the nearest: {LITE}" in shown


def test_accounts_of_google_cloud_are_planned_for_where_they_serve(planned, tmp_path):
    # A plan asks nothing, and needs no credentials.
    place = "[[key]]\nenterprise = true\nproject = 'our-cloud'\n"
    (tmp_path / "keys.txt").write_text(f"{place}location = 'eu'\n{place}location = 'global'\n")
    plan = planned()
    by_plan = rows(plan)
    for name in ("free keys", "batch"):
        assert by_plan[name]["notes"] == ["accounts of Google Cloud serve in another way"]
        assert by_plan[name]["requests"] is None
    assert by_plan["standard"]["requests"] == by_plan["flex"]["requests"] == PICTURES
    [told] = plan["taken_for_granted"]
    assert told.startswith("All 2 keys state no limits")
    for more, why in {
        ("--free",): "--free: key 'our-cloud/eu' is an account of Google Cloud, which pays",
        ("--tier", "batch"): "--tier batch: accounts of Google Cloud make no jobs here",
    }.items():
        with pytest.raises(AssertionError, match=why):
            planned(*more)


def test_second_opinions_of_a_batch_go_in_jobs_after_the_first_ones(planned):
    plan = planned("--model", FLASH, "--tier", "batch", "--verify", "0.1")
    batch = rows(plan)["batch"]
    assert plan["duration_s"] == batch["duration_s"] == 2 * 24 * 3600
    assert plan["assumptions"]["latency_s"] == 24 * 3600
    assert any("second opinions go in jobs of their own" in note for note in batch["notes"])
