"""The registry: every metric is in it, worked out at its place, and one more is a line more."""

import doctest
import json
import pkgutil
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from evaluator.__main__ import app
from evaluator.metrics import captioning, meaning, official, texts
from evaluator.metrics.metric import Metric, best_of, of_texts
from evaluator.metrics.registry import METRICS
from evaluator.metrics.rows import Rows
from evaluator.metrics.text_models.loaded import TextModels
from shared.corpus import write_predictions
from shared.program.cli import run_program
from tests.evaluator.predictions import predicted

DOCUMENT = Path(__file__).parents[3] / "docs" / "metrics.md"
MODULES = {
    name: import_module(name)
    for room in (texts, official, meaning, captioning)
    for _, name, _ in pkgutil.iter_modules(room.__path__, f"{room.__name__}.")
}
METRIC_MODULES = {name: module for name, module in MODULES.items() if hasattr(module, "METRIC")}


def worked_examples(name):
    return [test for test in doctest.DocTestFinder().find(MODULES[name]) if test.examples]


def test_every_metric_of_a_file_is_in_the_registry():
    assert sorted(module.METRIC.name for module in METRIC_MODULES.values()) == sorted(METRICS)
    for name, module in METRIC_MODULES.items():
        assert METRICS[name.rpartition(".")[2]] is module.METRIC


def test_labels_are_told_apart():
    assert len({metric.label for metric in METRICS.values()}) == len(METRICS)


@pytest.mark.parametrize("name", METRICS)
def test_the_document_has_a_row_for_every_metric(name):
    assert any(
        line.startswith("| ") and f"`{name}`" in line.split(" | ")[0]
        for line in DOCUMENT.read_text(encoding="utf-8").splitlines()
    )


@pytest.mark.parametrize(
    "name", [name for name, module in METRIC_MODULES.items() if not module.METRIC.library]
)
def test_a_metric_of_our_own_has_a_worked_example(name):
    assert worked_examples(name)


@pytest.mark.parametrize("name", [name for name in MODULES if worked_examples(name)])
def test_worked_examples_hold(name):
    for example in worked_examples(name):
        runner = doctest.DocTestRunner(verbose=False)
        output: list[str] = []
        runner.run(example, out=output.append)
        assert runner.tries
        assert not runner.failures, "".join(output)


def takes_texts_alone(metric):
    # METEOR's jar takes ten seconds to start; its own tests hold it against the jar.
    quick = metric is not METRICS["meteor"]
    return quick and not metric.models and metric.regions is None and metric.has_tool


@pytest.mark.parametrize("metric", list(filter(takes_texts_alone, METRICS.values())), ids=str)
def test_scores_keep_within_their_bounds(metric):
    answers = ["", "red", "a red shoe with laces", "Red.", "two", "zzz", "a red shoe with two eyes"]
    rows = Rows.of([predicted(a, r) for a in answers for r in answers if r])
    several = [(reference, reference, "red", "shoe") for (reference,) in rows.references]
    for references in (rows.references, several):
        whole = replace(rows, references=references)
        scores_N = metric.score(whole, TextModels())
        assert scores_N.shape == (len(whole.answers),)
        scores_N = scores_N[metric.judges(whole)]
        low, high = metric.bounds
        assert not np.isnan(scores_N).any()
        assert ((scores_N >= low - 1e-9) & (scores_N <= high + 1e-9)).all()


def test_a_metric_more_is_a_line_in_the_registry(monkeypatch, tmp_path, capsys):
    toy = Metric(
        name="same_length",
        label="Same length",
        score=best_of(lambda a, r: np.array([float(len(x) == len(y)) for x, y in zip(a, r)])),  # noqa: B905
        definition=of_texts(lambda: "equal numbers of characters"),
        of_constants=True,
    )
    monkeypatch.setitem(METRICS, toy.name, toy)
    answers = [predicted("red", "two"), predicted("red", "blue", image="b.jpg")]
    write_predictions(answers, tmp_path / "answers.csv", {})

    def score(*options) -> str:
        arguments = ["score", tmp_path / "answers.csv", "--metrics", "Same_Length", *options]
        with pytest.raises(SystemExit) as leaving:
            run_program(app, "evaluator", [str(argument) for argument in arguments])
        assert leaving.value.code == 0
        return capsys.readouterr().out

    table = score("--out", tmp_path / "run")
    scorecard = json.loads(score("--json"))
    assert scorecard["metrics"]["same_length"]["mean"] == 0.5
    assert scorecard["constants"]["black"]["metrics"]["same_length"]["mean"] == 0.0
    assert scorecard["signatures"]["same_length"].startswith("equal numbers of characters|lower")
    assert "Same length" in table
    assert "0.5000" in table
    assert "same_length" in (tmp_path / "run" / "predictions.csv").read_text("utf-8")
