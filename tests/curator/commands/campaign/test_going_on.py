"""What comes next fits how a campaign stands: waiting, resting, spent, given up, at work, done."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from curator.commands.campaign.going_on import going_on
from curator.forecast.forecast import Forecast
from curator.ledger import Progress, sole_writer
from curator.ledger.database.opening import is_at_work
from shared.program.command_line.next_step import typed
from shared.program.durations import local_time
from tests.curator.ledger.ledgers import fresh_ledger
from tests.curator.status.standings import NOW, key, standing

GOES_ON = "the command that began it goes on"
RUN = "curator run --catalog CATALOG --ledger l.db"
EXPORT = "curator export --ledger l.db --out dataset"
OPEN = local_time(NOW + 60)
GONE = key("gone", "p1", removed="API_KEY_INVALID")
COOLING = key("cooling", "p3", today=9)


def standing_with(forecast=None, **changed):
    usual = standing()
    report = replace(usual.report, **changed)
    return replace(usual, report=report, forecast=forecast or usual.forecast)


@pytest.mark.parametrize(
    ("state", "words", "line"),
    [
        (
            standing_with(),
            RUN,
            f"Campaign 1: 60 images wait; {GOES_ON}",
        ),
        (
            standing_with(keys=(GONE, COOLING)),
            RUN,
            f"Campaign 1: 60 images wait; no key has quota before {OPEN}; {GOES_ON}",
        ),
        (
            standing_with(Forecast(None, "no key is left"), keys=(GONE,)),
            f"{RUN} --retry-keys",
            "Campaign 1: 60 images wait; no key is left: mend that, or put another key in its line",
        ),
        (standing_with(Forecast(NOW, is_by_budget=True)), EXPORT, ""),
        (standing_with(progress=Progress(pending=0, done=90, dead=10)), EXPORT, ""),
        (
            standing_with(
                progress=Progress(pending=0, done=0, dead=9),
                pairs_by_model={},
                given_up={"no pair passed the rules": 9},
            ),
            f"{RUN} --retry-dead",
            "Campaign 1: all was given up, see why above",
        ),
        (standing_with(progress=Progress(pending=0, done=0, dead=0), pairs_by_model={}), "", ""),
    ],
)
def test_what_comes_next_fits_how_the_campaign_stands(state, words, line):
    told = going_on(state, Path("l.db"), NOW, is_at_work=False)
    assert (typed(*told.words), told.line) == (words, line)


def test_while_a_run_is_at_work_one_looks_again(tmp_path):
    ledger = fresh_ledger(tmp_path / "l.db")
    assert not is_at_work(ledger)
    with sole_writer(ledger):
        told = going_on(standing(), ledger, NOW, is_at_work=is_at_work(ledger))
    assert told.words == ("curator", "status", "--ledger", str(ledger))
