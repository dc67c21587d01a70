"""What changes cost, as the report draws and says it."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from evaluator.comparing.control_tables import robustness_table
from evaluator.metrics.registry import METRICS
from evaluator.reporting.charts.drops import drops_plot
from evaluator.reporting.findings import findings
from evaluator.reporting.page import write_report
from evaluator.scoring.figures import Figure
from evaluator.scoring.robustness import Robustness
from evaluator.scoring.scorecard import read_scorecard, write_scorecard
from tests.evaluator.run_folders import answers, make_run


def changed(run, **drops):
    """Return a run that loses so much under changes, by names without their strengths."""
    robustness = {
        f"{name}=1": Robustness(
            signature=f"made {name}|Pillow 12",
            images=4,
            left_out=3 * (name == "rephrased"),
            scores=run.scorecard.scores,
            drop={"exact_match": Figure(mean, 0.2, 8, None if ends is None else tuple(ends))},
            other_answers=Figure(0.25, 0.1, 8, None),
        )
        for name, (mean, *ends) in drops.items()
        for ends in [ends or None]
    }
    return replace(run, scorecard=replace(run.scorecard, robustness=robustness))


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path / "run", answers(8, wrong=[1]))


def test_losses_stand_to_the_right_of_nothing_and_gains_to_the_left(run):
    plot = drops_plot([changed(run, darker=(0.2, 0.1, 0.3), turned=(-0.05,)), run])
    [dark], [turned] = (band.dots for band in plot.bands)
    assert dark.low_x < dark.x < dark.high_x
    assert plot.zero_x < dark.low_x
    assert turned.x == turned.low_x < plot.zero_x
    assert (plot.zero_x, "0") in plot.ticks
    places = [x for x, _ in plot.ticks]
    assert places[0] <= turned.x
    assert dark.high_x <= places[-1]


def test_changes_of_one_name_that_were_made_differently_stand_apart(run):
    one = changed(run, darker=(0.2, 0.1, 0.3))
    [(name, each)] = one.scorecard.robustness.items()
    other = {name: replace(each, signature="made darker in another way|Pillow 12")}
    two = replace(run, name="two", scorecard=replace(run.scorecard, robustness=other))
    bands = drops_plot([one, two]).bands
    assert [[dot.name for dot in band.dots] for band in bands] == [["run"], ["two"]]


def test_without_changes_nothing_is_drawn_or_said(tmp_path, run):
    assert drops_plot([run]) is None
    write_report([run], tmp_path / "report.html", images=None)
    assert "What small changes cost" not in (tmp_path / "report.html").read_text()


def test_the_page_and_the_table_say_what_was_lost(tmp_path, run):
    one = changed(run, darker=(0.2, 0.1, 0.3), rephrased=(0.0, -0.1, 0.1))
    write_report([one, replace(run, name="other")], tmp_path / "report.html", images=None)
    page = (tmp_path / "report.html").read_text()
    assert "What small changes cost" in page
    assert "3 that no rule fits left out" in page
    assert "darker=1 (made darker) costs “run” most: 20.0 points" in " ".join(findings([one]))
    assert "None of 1 change of pictures or questions clearly costs “run”" in " ".join(
        findings([changed(run, turned=(0.0, -0.1, 0.1))])
    )


def test_no_figure_of_the_table_is_cut_off_however_many_metrics_there_are(run):
    one = changed(run, compressed=(0.2, 0.1, 0.3))
    [(name, each)] = one.scorecard.robustness.items()
    scores, drop = one.scorecard.scores, each.drop["exact_match"]
    metrics = dict.fromkeys(METRICS, drop)
    many = replace(
        one.scorecard,
        scores=replace(scores, metrics=dict.fromkeys(METRICS, scores.metrics["exact_match"])),
        robustness={name: replace(each, drop=metrics)},
    )
    console = Console(width=80, file=io.StringIO())
    console.print(robustness_table(many))
    shown = console.file.getvalue()
    assert shown.count("+0.2000") == shown.count("+0.100 to +0.300") == len(METRICS)
    assert "8 questions, 25.0 % other answers" in " ".join(shown.split())


def test_the_scorecard_s_file_keeps_it(tmp_path, run):
    card = changed(run, darker=(0.2, 0.1, 0.3), turned=(-0.05,)).scorecard
    write_scorecard(card, tmp_path / "scorecard.json")
    assert read_scorecard(tmp_path / "scorecard.json") == card
