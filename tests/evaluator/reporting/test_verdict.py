"""The first screen of a report: which run, by how much, is it sure, what does it cost."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from evaluator.comparing.several import attempt_all
from evaluator.reporting.verdict import Verdict, verdict
from evaluator.runs.folder import Run
from evaluator.scoring.cost import Cost
from tests.evaluator.run_folders import answers, make_run

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> list[Run]:
    folder = tmp_path_factory.mktemp("runs")
    wrong = {"base": range(40), "close": range(1, 41), "best": range(12)}
    return [make_run(folder / name, answers(80, wrong=of)) for name, of in wrong.items()]


def said(*runs: Run) -> Verdict:
    return verdict(runs, attempt_all(runs))


def test_the_best_is_named_with_its_lead_and_whether_that_is_sure(runs) -> None:
    told = said(*runs)
    assert told.which == "“best” has the highest Exact match."
    assert told.how_much.startswith("Exact match: 85.0 % on 80 questions; +35.0 points (95 % ")
    assert told.is_sure.startswith("Yes: p ")
    assert told.cost == "Not known: neither prices nor times were measured."
    # Whichever comes first.
    assert said(*reversed(runs)).which == told.which


def test_a_tie_is_no_winner(runs) -> None:
    base, close, _ = runs
    told = said(base, close)
    assert told.which.endswith("but is not clearly the best.")
    assert re.fullmatch(r"No: it is not clearly better than “\w+”\. .*", told.is_sure)
    assert "+0.0 points" in told.how_much


def test_equal_answers_are_said_to_be_equal(runs) -> None:
    told = said(runs[0], replace(runs[0], name="again"))
    assert told.is_sure.endswith("“again”. Every question has the same score.")


def test_runs_that_cannot_be_compared_are_said_to_be_apart(runs, tmp_path) -> None:
    some = make_run(tmp_path / "some", answers(80, wrong=range(12))[:40])
    told = said(runs[0], some)
    assert told.which == "“some” has the highest Exact match, but is not clearly the best."
    assert told.how_much.endswith("it can be compared with no other run.")
    assert told.is_sure.endswith("“base” answered other questions, or was measured otherwise.")
    scores = some.scorecard.scores
    other = replace(scores, metrics={"gqa": scores.metrics["exact_match"]})
    unlike = replace(some, name="unlike", scorecard=replace(some.scorecard, scores=other))
    assert said(runs[0], unlike).is_sure == "Not known for all: “unlike” has no such score."


def test_one_run_and_what_it_costs(runs) -> None:
    cost = Cost(80, seconds_k=12.4, usd_k=0.0212)
    best = replace(runs[2], scorecard=replace(runs[2].scorecard, cost=cost))
    told = said(best)
    assert told.which == "“best” alone is shown."
    assert "95 % interval" in told.is_sure
    assert told.cost == "For 1,000 answers 0.0212 US dollars, 12 s."
    both = said(runs[0], best)
    assert both.cost == told.cost


def test_every_sentence_begins_with_a_capital_or_a_run(runs) -> None:
    told = said(*runs)
    for sentence in (told.which, told.how_much, told.is_sure, told.cost):
        assert re.match(r"[A-Z“]", sentence)
        assert sentence.endswith(".")


def test_no_signed_number_is_written_with_a_negative_zero() -> None:
    """``z`` turns -0.0 into 0.0 once it is rounded; each signed format has it."""
    signed = re.compile(r":\+,?\.\d[f%]")
    sources = [
        path
        for part in ("curator", "evaluator", "shared", "trainer")
        for kind in ("*.py", "*.j2")
        for path in (ROOT / part).rglob(kind)
    ]
    assert sources
    wrong = [
        path
        for path in sources
        if signed.search(text := path.read_text(encoding="utf-8")) or '"%+.' in text
    ]
    assert wrong == []
    assert f"{-0.0004:+z.1f}" == "+0.0"
