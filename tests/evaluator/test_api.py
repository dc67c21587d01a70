"""The evaluator from Python: the commands' results as values, which a notebook shows."""

from __future__ import annotations

import csv
import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest

import evaluator
from evaluator.api import compare, evaluate, report, score
from shared.errors import InputError


def write_predictions(path: Path, right: int) -> Path:
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["filename", "question", "answer", "prediction"])
        for number in range(40):
            said = "red" if number < right else "<b>blue</b>"
            rows.writerow([f"{number}.jpg", "What colour is it?", "red", said])
    return path


def test_scores_are_compared_and_reported(tmp_path) -> None:
    frozen = gc.get_freeze_count()
    files = [write_predictions(tmp_path / f"{name}.csv", right) for name, right in WHO.items()]
    scored = score(*files, metrics=["exact_match", "token_f1"], out=tmp_path / "runs")
    means = {
        name: card.scores.metrics["exact_match"].mean for name, card in scored.scorecards.items()
    }
    assert means == {"mine": 0.5, "yours": 1.0}
    compared = compare(*(tmp_path / "runs" / name for name in WHO), metrics=["exact_match"])
    assert "yours" in compared.says[0]
    for shown in (scored, compared):
        html = shown._repr_html_()
        assert html.startswith("<pre")
        assert len(repr(shown)) < 1000  # a notebook keeps it beside the table
        assert "yours" in html
    page = report(*(tmp_path / "runs" / name for name in WHO), out=tmp_path / "page.html")
    assert "mine" in page.read_text(encoding="utf-8")
    # What a caller lets go of is still looked for.
    assert gc.get_freeze_count() <= frozen


WHO = {"mine": 20, "yours": 40}


def test_what_cannot_be_is_one_error(tmp_path) -> None:
    file = write_predictions(tmp_path / "p.csv", 3)
    for call, reason in (
        (lambda: score(file, metric="csns"), "has no setting 'metric'; did you mean 'metrics'?"),
        (lambda: score(file, metrics=["exact"]), "exact_match"),
        (lambda: compare(tmp_path), "give two run folders"),
        (report, "give a run folder"),
        (score, "give a file of predictions or more"),
        (lambda: score(file, metrics="exact"), "'exact'"),
        (lambda: score(file, columns="answer=gone"), "no column 'gone'"),
        (lambda: evaluate(file, "blip-vqa-tiny", tmp_path / "r", limits=3), "did you mean 'limit'"),
    ):
        with pytest.raises(InputError, match=None) as refused:
            call()
        assert reason in str(refused.value)
    assert not (tmp_path / "r").exists()


def test_the_package_offers_its_functions_and_imports_none_of_them_before() -> None:
    assert evaluator.evaluate is evaluate
    assert evaluator.report is report
    with pytest.raises(AttributeError):
        _ = evaluator.nothing
    code = "import evaluator, sys; assert 'evaluator.api' not in sys.modules; evaluator.score"
    root = str(Path(evaluator.__file__).parents[1])
    ended = subprocess.run(
        [sys.executable, "-c", code], check=False, env={**os.environ, "PYTHONPATH": root}
    )
    assert ended.returncode == 0
