"""Scorecards and comparisons on 80 columns: nothing is cut off, or taken for a style."""

import io
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from evaluator.comparing.control_tables import control_tables
from evaluator.comparing.differences import cautions
from evaluator.comparing.several import attempt_all, compare_all
from evaluator.comparing.tables import (
    comparison_table,
    detail_table,
    difference_table,
    several_table,
)
from tests.evaluator.run_folders import answers, make_run

NAMES = ("[red]", "a [bold] name", "[/x]")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    run = make_run(tmp_path_factory.mktemp("tables") / "run", answers(12, wrong=[1]))
    return [replace(run, name=name) for name in NAMES]


def printed(*tables):
    console = Console(width=80, file=io.StringIO())
    console.print(*tables)
    return console.file.getvalue()


def test_names_and_answers_in_brackets_are_printed_as_they_are(runs):
    cards = {run.name: run.scorecard for run in runs}
    several = compare_all(runs)
    tables = [comparison_table(cards), several_table(several)]
    for table in tables:
        shown = printed(table)
        assert [name for name in NAMES if name not in shown] == []
    for comparison in several.comparisons:
        shown = printed(difference_table(comparison))
        assert f"{comparison.other} less {comparison.base}" in shown
    card = runs[0].scorecard
    card = replace(card, constants={"[/b]": card.scores})
    assert "[red]: 12 questions" in printed(detail_table("[red]", card))
    assert "all '[/b]'" in printed(*control_tables(card))


def test_of_two_long_names_that_begin_alike_the_ends_are_printed(runs):
    names = ("runs/with-a-long-name-1", "runs/with-a-long-name-2")
    two = [replace(run, name=name) for run, name in zip(runs, names, strict=False)]
    [comparison] = compare_all(two).comparisons
    shown = printed(difference_table(comparison))
    assert "…" not in shown


def test_no_figure_is_cut_in_two_however_many_runs_and_long_names(runs):
    names = [f"runs/salesforce-blip-vqa-base-rank-{number}" for number in range(6)]
    many = [replace(runs[0], name=name) for name in names]
    figure = runs[0].scorecard.scores.metrics["exact_match"]
    interval = f"{figure.ci95[0]:.3f}-{figure.ci95[1]:.3f}"
    shown = printed(comparison_table({run.name: run.scorecard for run in many}))
    assert shown.count(interval) >= len(many)
    assert "…" not in shown + printed(several_table(compare_all(many)))
    [comparison] = compare_all(many[:2]).comparisons
    [first, *_] = comparison.metrics
    gain = replace(first.difference, ci95=(-0.1, 0.1), p_value=0.0)
    row = replace(first, difference=gain, p_holm=0.0)
    shown = printed(difference_table(replace(comparison, metrics=[row])))
    assert f"{row.base:.4f}" in shown
    assert f"{row.other:.4f}" in shown
    assert shown.count("< 0.001") == 2


def test_a_comparison_says_over_how_many_questions_a_metric_goes(runs):
    base, other, _ = runs
    some = other.columns["token_f1"].copy()
    some[:5] = np.nan
    other = replace(other, columns={**other.columns, "token_f1": some})
    [attempt] = attempt_all([base, other])
    assert "Token F1: only 7 of the 12 questions have a score in both runs, and are compared." in (
        cautions(attempt.comparison)
    )
