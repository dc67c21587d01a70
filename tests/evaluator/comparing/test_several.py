"""Several runs: all pairs, Holm over all, the ties; and gates for continuous integration."""

import json

import pytest

from evaluator.__main__ import app
from evaluator.comparing.several import attempt_all, compare_all, several_sentences
from evaluator.comparing.significance import holm, resamples_for
from evaluator.reporting.page import write_report
from shared.errors import InputError
from shared.program.cli import run_program
from tests.evaluator.predictions import predicted
from tests.evaluator.run_folders import answers, make_run


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    wrong = {"base": range(40), "close": range(1, 41), "best": range(12)}
    return [make_run(folder / name, answers(80, wrong=of)) for name, of in wrong.items()]


@pytest.fixture
def folders(tmp_path):
    wrong = {"base": range(20), "worse": range(60), "same": range(20)}
    for name, of in wrong.items():
        make_run(tmp_path / name, answers(80, wrong=of))
    return tmp_path


def evaluator(*arguments) -> int:
    with pytest.raises(SystemExit) as leaving:
        run_program(app, "evaluator", [str(argument) for argument in arguments])
    return leaving.value.code


def test_every_pair_is_compared_and_corrected_together(runs):
    several = compare_all(runs)
    pairs = [(each.base, each.other) for each in several.comparisons]
    assert pairs == [("base", "close"), ("base", "best"), ("close", "best")]
    metrics = [metric for each in several.comparisons for metric in each.metrics]
    assert len(metrics) == 6
    expected = holm([metric.difference.p_value for metric in metrics])
    assert [metric.p_holm for metric in metrics] == expected


def test_the_best_comes_first_and_ties_are_called_ties(runs):
    several = compare_all(runs)
    assert [run.name for run in several.standings] == ["best", "base", "close"]
    assert [run.tied_with for run in several.standings] == [(), ("close",), ("base",)]
    first, tie = several_sentences(several)[:2]
    assert first == "Exact match, best first: “best” 0.8500, “base” 0.5000, “close” 0.5000."
    assert tie == "A tie, no clear difference: “base” and “close”."


def test_a_clear_difference_among_many_tests_has_draws_enough():
    for tests in (1, 300, 2000):
        assert 2 / (resamples_for(tests) + 1) * tests < 0.05


def test_many_runs_are_printed_and_are_one_object(folders, capsys):
    several = [folders / name for name in ("base", "worse", "same")]
    assert evaluator("compare", *several) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "same less worse" in out
    assert "A tie, no clear difference: “base” and “same”." in out
    assert evaluator("compare", *several, "--json", "--metrics", "exact_match") == 0
    value = json.loads(capsys.readouterr().out)
    assert [run["name"] for run in value["standings"]] == ["base", "same", "worse"]
    assert len(value["comparisons"]) == 3
    assert value["says"][0].startswith("Exact match, best first: “base” 0.7500")


def test_two_that_cannot_be_compared_refuse_all_and_stay_a_reason_on_the_page(runs, tmp_path):
    odd = make_run(tmp_path / "odd", [predicted("red", "red", image="other.png")])
    with pytest.raises(InputError, match="base and odd answer different data"):
        compare_all([*runs, odd])
    attempts = attempt_all([*runs, odd])
    assert [attempt.comparison is None for attempt in attempts] == [
        False,
        False,
        True,
        False,
        True,
        True,
    ]
    write_report([*runs, odd], tmp_path / "report.html", images=None)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "best less close in points" in page
    assert "corrected for all pairs and metrics by Holm" in page
    assert "close and odd answer different data" in page


def test_a_gate_closes_where_the_interval_begins_below(folders, capsys):
    base, worse, same = (folders / name for name in ("base", "worse", "same"))
    assert evaluator("compare", base, same, "--fail-below", "-0.01") == 0
    assert "gate passed: Exact match of same less base: the 95 % interval begins at +0.0000" in (
        capsys.readouterr().out
    )
    assert evaluator("compare", base, worse, "--fail-below", "-0.01", "--metric", "token_f1") == 1
    [line] = capsys.readouterr().err.strip().splitlines()
    assert "gate closed: Token F1 of worse less base: the 95 % interval begins at -0.6" in line
    assert evaluator("compare", worse, base, "--fail-below", "-0.01", "--json") == 0
    [gate] = json.loads(capsys.readouterr().out)["gates"]
    assert (gate["metric"], gate["passed"], gate["low"] > 0) == ("exact_match", True, True)
    # Each against the first.
    assert evaluator("compare", base, same, worse, "--fail-below", "-0.01", "--json") == 1
    assert [gate["passed"] for gate in json.loads(capsys.readouterr().out)["gates"]] == [
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--fail-below", "-0.01", "--metric", "bleu_4"], "its difference has no interval, so no"),
        (["--fail-below", "-0.01", "--metric", "csns"], "a run lacks it, so no gate"),
        (["--fail-below", "nan"], "between -1 and 1: -0.01 is a point"),
        (["--fail-below", "-1"], "between -1 and 1: -0.01 is a point"),
        (["--fail-below", "-0.01", "--metric", "token"], "--metric 'token': did you mean 'tok"),
        (["--metric", "token_f1"], "is the gate's; give --fail-below too"),
    ],
)
def test_a_gate_that_cannot_be_put_is_one_line(folders, capsys, options, told):
    assert evaluator("compare", folders / "base", folders / "worse", *options) == 2
    told_as = capsys.readouterr()
    assert told_as.out == ""
    [line] = told_as.err.strip().splitlines()
    assert told in line


def test_rows_of_one_picture_have_no_interval_to_gate_by(tmp_path, capsys):
    rows = [predicted("red", "red", question=f"what {n}") for n in range(5)]
    paths = [tmp_path / name for name in "ab"]
    for path in paths:
        make_run(path, rows)
    assert evaluator("compare", *paths, "--fail-below", "-0.01") == 2
    assert (
        "has no interval: all rows are of one image; give data with more" in capsys.readouterr().err
    )
    assert evaluator("compare", paths[0]) == 2
    assert "give two run folders or more" in capsys.readouterr().err
