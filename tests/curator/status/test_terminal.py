"""What is shown of a run, and when."""

from __future__ import annotations

import asyncio
import io
from dataclasses import replace

import pytest
from rich.console import Console

from curator.forecast.forecast import Forecast, still_true
from curator.ledger import (
    KeyReport,
)
from curator.status.drawing import view
from curator.status.status import Standing, status_object
from curator.status.terminal import LINE_EVERY_S, QUIET_EVERY_S, line, shown
from curator.status.view import status_view
from shared.endpoints.keys.asked_model import AskedModel
from shared.endpoints.keys.quota import Quota
from shared.endpoints.models.budget_limit import BudgetLimit
from shared.endpoints.pool.records import ModelUse
from tests.curator.status.standings import NOW, standing
from tests.fakes.clock import FakeClock

NAMED = {1: "10 questions, prompt 1-abc"}


def drawn(renderable: object, width: int = 150) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    console.print(renderable)
    return console.file.getvalue()


def test_the_view_has_progress_rate_time_left_keys_and_errors():
    text = drawn(view(standing(), NOW, height=40))
    assert "40 of 100" in text
    assert "40.0%" in text
    assert "30.0 images a minute" in text
    assert "10 h 32 min under these quotas, until 2025-11-25" in text
    # A server's words are text, whatever they look like.
    assert "unavailable 3 (503: [red]overloaded[/red])" in text
    rows = [row.split() for row in text.splitlines() if "answered" in row]
    assert [row[0] for row in rows] == ["good", "cooling", "spent", "old"]
    assert "12 of 250" in text
    assert "cooling down until" in text
    assert "done for today, until" in text
    assert "removed: API_KEY_INVALID" in text


def test_where_no_key_serves_no_project_is_told_of():
    two = standing()
    campaign = replace(two.report.campaign, models=(AskedModel("a"), AskedModel("b")))
    several = replace(two, report=replace(two.report, campaign=campaign))
    assert "project  model" in drawn(status_view([several], NOW, NAMED))
    gone = replace(several, report=replace(several.report, keys=two.report.keys[:1]))
    assert "project  model" not in drawn(status_view([gone], NOW, NAMED))


def test_what_was_shed_is_told_and_is_no_error():
    full = standing()
    (model,) = full.report.outcomes_by_model
    outcomes = {model: {"answered": 40, "shed": 1_203}}
    full = replace(full, report=replace(full.report, outcomes_by_model=outcomes), last_errors={})
    assert "1,203 requests were shed, and are sent again" in drawn(view(full, NOW, height=40))
    assert "; shed 1,203" in line(full, NOW)
    assert "error" not in line(full, NOW)
    assert "shed" not in line(standing(), NOW)


def test_a_low_terminal_shows_the_keys_that_serve_first():
    text = drawn(view(standing(), NOW, height=11))
    assert "good" in text
    assert "and 1 more keys" in text
    assert "API_KEY_INVALID" not in text


def test_what_is_told_once_is_told_whole_on_a_narrow_terminal():
    text = " ".join(drawn(status_view([standing()], NOW, NAMED), width=80).split())
    assert "…" not in text
    assert "API_KEY_INVALID" in text


def test_a_narrow_terminal_has_one_line_a_key_still():
    rows = drawn(view(standing(), NOW, height=40), width=80).splitlines()
    assert (
        len([row for row in rows if row.split(" ")[0] in {"good", "cooling", "spent", "old"}]) == 4
    )
    assert len(rows) == 10


def test_one_line_says_the_same():
    assert line(standing(), NOW) == (
        "curating: 40 of 100; 0 given up; 30.0 a minute; 10 h 32 min left; "
        "keys: cooling down 1, ready 1, removed 1, resting 1; "
        "errors: unavailable 3 (503: [red]overloaded[/red])"
    )


def test_a_key_counts_the_models_that_its_project_may_use():
    uses = [ModelUse("a", 5, Quota(rpd=9), "404"), ModelUse("b", 7, Quota(rpd=8))]
    of_two = KeyReport("fp", "k", "p", "", {}, Quota(), [*uses, ModelUse("c", 1, Quota(rpd=2))])
    assert (of_two.today, of_two.a_day) == (8, 10)
    unlimited = KeyReport("fp", "k", "p", "", {}, Quota(), [*uses, ModelUse("c", 1, Quota())])
    # Nothing to hold it against: then it is all that the project was asked.
    assert (unlimited.today, unlimited.a_day) == (13, None)
    none = KeyReport("fp", "k", "p", "404", {}, Quota(), uses[:1])
    assert (none.today, none.a_day) == (5, 9)


def test_status_tells_the_cost_by_list_price_and_no_other():
    assert status_object([standing()], NOW)["campaigns"][0]["cost_usd"] == pytest.approx(1.3)
    text = drawn(status_view([standing()], NOW, NAMED))
    assert "1.30 $ by list price; free keys pay nothing" in text
    assert status_object([standing(model="new")], NOW)["campaigns"][0]["cost_usd"] is None


def test_what_each_model_cost_stands_below_the_cost_and_before_the_budget():
    report = standing().report
    campaign = replace(report.campaign, budget=BudgetLimit(tokens=2_000_000))
    limited = Standing(replace(report, campaign=campaign), Forecast(NOW), None, {})
    lines = drawn(status_view([limited], NOW, NAMED)).splitlines()
    [cost] = [number for number, text in enumerate(lines) if text.startswith("cost")]
    assert "gemini-3.5-flash-lite: 1,000,000 in" in lines[cost + 1]
    assert lines[cost + 2].startswith("budget")


def test_a_time_that_is_not_known_has_its_reason():
    one = standing()
    unknown = Standing(one.report, Forecast(None, "no key is left that can serve"))
    assert "unknown: no key is left that can serve" in drawn(status_view([unknown], NOW, NAMED))
    told = status_object([unknown], NOW)["campaigns"][0]
    assert (told["ends_at"], told["eta_s"]) == (None, None)
    assert told["eta_unknown_because"] == "no key is left that can serve"


def test_no_time_is_left_where_no_key_is():
    one = standing()
    gone = replace(
        one.report, keys=tuple(replace(key, removed_because="expired") for key in one.report.keys)
    )
    assert still_true(one.forecast, one.report) is one.forecast
    assert still_true(one.forecast, gone).ends_at is None
    told = line(replace(one, report=gone, forecast=still_true(one.forecast, gone)), NOW)
    assert " left;" not in told
    assert "removed 4" in told


async def test_lines_come_as_things_change_and_rarely_while_they_do_not():
    wall, out = FakeClock(), io.StringIO()
    state = {"done": 40}

    async def pass_time(seconds: float) -> None:
        for _ in range(round(seconds / LINE_EVERY_S)):
            await wall.until_asleep()
            wall.advance(LINE_EVERY_S)
            await asyncio.sleep(0)

    async with shown(lambda: (standing(done=state["done"]), NOW), wall, out):
        await pass_time(30)
        assert len(out.getvalue().splitlines()) == 1
        state["done"] = 41
        await pass_time(20)
        assert len(out.getvalue().splitlines()) == 2
        await pass_time(QUIET_EVERY_S)
        assert len(out.getvalue().splitlines()) == 3
    lines = out.getvalue().splitlines()
    assert len(lines) == 4
    assert all(one.startswith("curating: 4") for one in lines)
