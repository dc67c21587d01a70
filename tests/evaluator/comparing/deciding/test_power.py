"""How many pictures see a difference: the formula against runs that are made up."""

import json

import numpy as np
import pytest

from evaluator.__main__ import app
from evaluator.comparing.deciding.power import measured, need, supposed
from evaluator.comparing.significance import paired_difference
from shared.program.cli import run_program
from tests.evaluator.run_folders import answers, make_run

QUESTIONS = 4


def evaluator(*arguments) -> int:
    with pytest.raises(SystemExit) as leaving:
        run_program(app, "evaluator", [str(argument) for argument in arguments])
    return leaving.value.code


def made_up_gains(generator, units, difference, changed, alike):
    """Return gains of +1, 0 and -1; a unit's rows share one draw with the chance ``alike``."""
    chances = [(changed - difference) / 2, 1 - changed, (changed + difference) / 2]
    own = generator.choice([-1.0, 0.0, 1.0], p=chances, size=(units, QUESTIONS))
    shared = generator.choice([-1.0, 0.0, 1.0], p=chances, size=(units, 1))
    # Two rows both take the shared draw with the chance alike, which is their correlation.
    takes = generator.random((units, QUESTIONS)) < np.sqrt(alike)
    return np.where(takes, shared, own).ravel(), np.repeat(np.arange(units), QUESTIONS)


@pytest.mark.parametrize(("difference", "alike"), [(0.06, 0.0), (0.08, 0.4)])
def test_so_many_units_see_the_difference_in_four_of_five_tries(difference, alike):
    generator = np.random.default_rng(1)
    changed = 0.3
    units = supposed(changed, QUESTIONS, alike).units_for(difference)
    seen = []
    for _ in range(250):
        gains, place = made_up_gains(generator, units, difference, changed, alike)
        seen.append(paired_difference(gains, place.astype(str), resamples=400).is_clear)
    # Four standard errors of 250 tries, and what the bootstrap adds.
    assert 0.70 <= np.mean(seen) <= 0.90


def test_what_is_measured_is_what_was_supposed():
    gains, place = made_up_gains(np.random.default_rng(2), 20_000, 0.0, 0.3, 0.4)
    found, wanted = measured(gains, place), supposed(0.3, QUESTIONS, 0.4)
    assert found.rows == wanted.rows == QUESTIONS
    assert found.variance == pytest.approx(wanted.variance, rel=0.05)


def test_half_the_difference_needs_four_times_the_units_and_seen_by_is_the_way_back():
    variation = supposed(0.2, 5, 0.1)
    assert variation.units_for(0.005) == pytest.approx(4 * variation.units_for(0.01), abs=4)
    assert variation.seen_by(variation.units_for(0.01)) == pytest.approx(0.01, rel=1e-3)
    assert [points for points, _ in need(variation, "image", 3).units_by_points] == [
        0.5,
        1,
        2,
        3,
        5,
    ]


def test_the_command_measures_runs_or_takes_what_is_supposed(tmp_path, capsys):
    make_run(tmp_path / "base", answers(80, wrong=range(0, 80, 3)))
    make_run(tmp_path / "other", answers(80, wrong=range(0, 80, 4)))
    runs = [tmp_path / "base", tmp_path / "other"]
    assert evaluator("power", *runs, "--points", "3", "--json") == 0
    of_runs = json.loads(capsys.readouterr().out)
    assert (of_runs["unit"], of_runs["questions_per_unit"]) == ("image", 1)
    # Of 80 answers, 33 changed sides.
    changed = supposed(33 / 80, 1, 0)
    assert of_runs["needed"][3]["units"] == pytest.approx(changed.units_for(0.03), rel=0.05)
    assert of_runs["units_now"] == 80
    assert of_runs["points_seen_now"] == pytest.approx(20, abs=0.5)
    assert evaluator("power", *runs) == 0
    assert "The 80 images of these runs see 20" in capsys.readouterr().out
    assert evaluator("power", "--changed", "0.2", "--questions", "5", "--alike", "0.1") == 0
    assert "4,396 images with 5 questions each see 1 point in 80 of 100 tries." in (
        capsys.readouterr().out
    )


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--points", "0"], "give a difference above 0"),
        (["base"], "give two run folders, or none; 1 are given"),
        (["base", "same"], "exact_match differs by as much on each image"),
        (["--points", "nan"], "give a difference above 0 and up to 100"),
        (["--points", "200"], "give a difference above 0 and up to 100"),
        (["--questions", "inf"], "give a number, such as 5"),
        (["--points", "30", "--changed", "0.2"], "where 20% of the answers change"),
        (["base", "same", "--metric", "csns"], "no common figures for csns"),
        (["base", "same", "--metric", "bleu_4"], "is a figure of the whole set, so that no answer"),
        (["base", "same", "--changed", "0.3"], "--changed 0.3: is measured where runs are given"),
        (["base", "same", "--alike", "0.1"], "--alike 0.1: is measured where runs are given"),
        (["--metric", "csns"], "--metric csns: is of runs; give two, or leave it out"),
    ],
)
def test_what_tells_nothing_is_one_line(tmp_path, monkeypatch, capsys, arguments, told):
    for name in ("base", "same"):
        make_run(tmp_path / name, answers(8, wrong=[1]))
    monkeypatch.chdir(tmp_path)
    assert evaluator("power", *arguments) == 2
    [line] = capsys.readouterr().err.strip().splitlines()
    assert told in line
