"""What changes cost one run more than another, row by row."""

import json

import numpy as np
import pytest

from evaluator.__main__ import app
from evaluator.comparing.drops import compare_drops, drop_sentences
from evaluator.comparing.several import compare_all
from evaluator.metrics.registry import METRICS
from evaluator.metrics.text_models.loaded import TextModels
from evaluator.reporting.page import write_report
from evaluator.runs.folder import read_runs, write_results
from evaluator.runs.record import EvaluationRecord, write_record
from evaluator.scoring.controls import UnderChange
from evaluator.scoring.scoring import score_predictions
from shared.program.cli import run_program
from tests.evaluator.predictions import predicted

IMAGES = 60


def answered(right_N):
    return [
        predicted("red" if right else "blue", "red", image=f"{n // 2}.jpg", question=f"what is {n}")
        for n, right in enumerate(right_N)
    ]


def make(folder, plain_N, changed, signature="half as bright|Pillow 12"):
    """Write a run that answers all questions, and those of the first 40 images under changes."""
    under = {
        name: UnderChange(signature, moves=False, predictions=answered(right_N[:80]))
        for name, right_N in changed.items()
    }
    metrics = (METRICS["exact_match"], METRICS["token_f1"])
    rows = answered(plain_N)
    card, columns = score_predictions(
        rows,
        metrics=metrics,
        text_models=TextModels(),
        train_pairs=None,
        provenance={},
        under_changes=under,
    )
    write_record(folder, EvaluationRecord())
    write_results(folder, rows, columns, card)
    return folder


@pytest.fixture(scope="module")
def drawn():
    rng = np.random.default_rng(1)
    return {
        name: rng.random((2, 2 * IMAGES)) < [[0.8], [low]]
        for name, low in (("a", 0.7), ("b", 0.2), ("c", 0.7))
    }


@pytest.fixture(scope="module")
def folders(tmp_path_factory, drawn):
    place = tmp_path_factory.mktemp("runs")
    return [make(place / name, right[0], {"darker=0.5": right[1]}) for name, right in drawn.items()]


def test_a_drop_is_compared_row_by_row(folders, drawn):
    found = compare_drops(read_runs(folders[:2]))
    [drop] = found
    (plain_a, dark_a), (plain_b, dark_b) = (drawn[name].astype(float)[:, :80] for name in "ab")
    more_N = (plain_b - dark_b) - (plain_a - dark_a)
    exact, f1 = drop.metrics
    assert (drop.change, drop.n, drop.clustered_by) == ("darker=0.5", 80, "image")
    assert (exact.base, exact.other) == pytest.approx(
        ((plain_a - dark_a).mean(), (plain_b - dark_b).mean())
    )
    assert exact.difference.mean == pytest.approx(more_N.mean())
    # The standard error of the mean over images, by the book.
    of_images = more_N.reshape(-1, 2).mean(axis=1)
    half = 1.96 * of_images.std(ddof=1) / np.sqrt(len(of_images))
    assert exact.difference.ci95 == pytest.approx(
        (more_N.mean() - half, more_N.mean() + half), abs=0.04
    )
    assert f1.difference == exact.difference


def test_p_values_are_corrected_over_all_changes_pairs_and_metrics(folders):
    runs = read_runs(folders)
    found = compare_drops(runs)
    assert [(d.base, d.other) for d in found] == [("a", "b"), ("a", "c"), ("b", "c")]
    metrics = [metric for drop in found for metric in drop.metrics]
    assert min(m.p_holm for m in metrics) >= 6 * min(m.difference.p_value for m in metrics)
    said = drop_sentences(runs, found)
    assert [line.split(",")[0] for line in said] == ["Under darker=0.5"] * 4
    assert "“b” loses" in said[0]
    assert "more than “a”" in said[0]


def test_the_terminal_and_the_page_show_it(folders, tmp_path, capsys):
    words = ["compare", *map(str, folders), "--metrics", "exact_match"]
    with pytest.raises(SystemExit):
        run_program(app, "evaluator", [*words, "--json"])
    told = json.loads(capsys.readouterr().out)["robustness"]
    assert [each["metrics"][0]["metric"] for each in told] == ["exact_match"] * 3
    with pytest.raises(SystemExit):
        run_program(app, "evaluator", words)
    assert "Under darker=0.5, “b” loses" in capsys.readouterr().out
    write_report(read_runs(folders), tmp_path / "page.html", images=None)
    assert "Under darker=0.5, “b” loses" in (tmp_path / "page.html").read_text()


def test_what_was_not_asked_alike_is_not_compared_and_told(folders, drawn, tmp_path):
    plain, dark = drawn["b"]
    other = make(tmp_path / "other", plain, {"darker=0.5": dark}, "otherwise|Pillow 13")
    more = make(tmp_path / "more", plain, {"darker=0.5": dark, "turned=9": dark})
    before = make(tmp_path / "before", plain, {"darker=0.5": dark})
    for path in (before / "changes").iterdir():
        path.unlink()
    for folder, told in ((other, "darker=0.5"), (more, "turned=9"), (before, "darker=0.5")):
        runs = read_runs([folders[0], folder])
        said = drop_sentences(runs, compare_drops(runs))[-1]
        assert said.startswith(f"What is lost under {told} is not compared")
        assert len(compare_all(runs).comparisons) == 1
