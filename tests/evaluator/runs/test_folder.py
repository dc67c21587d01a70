"""Run folders: what is written can be read, and what is not finished is refused."""

import csv
from dataclasses import replace

import numpy as np
import pytest

from evaluator.metrics.registry import METRICS
from evaluator.runs.folder import read_run, read_runs, shard_path, write_results
from evaluator.scoring.scoring import score_predictions
from shared.corpus import read_scored_predictions
from shared.errors import InputError
from tests.evaluator.predictions import predicted
from tests.evaluator.run_folders import answers, make_run


def test_a_run_comes_back_as_it_was(tmp_path):
    predictions = [*answers(5, wrong=[1]), predicted("", "x", grounding=0.25, broken=True)]
    run = make_run(tmp_path / "base", predictions, images=tmp_path)
    assert run.name == "base"
    assert list(run.predictions) == predictions
    assert run.columns["exact_match"].tolist() == [1, 0, 1, 1, 1, 0]
    assert run.images == str(tmp_path)
    assert run.scorecard.scores.metrics["exact_match"].mean == pytest.approx(4 / 6)


def test_a_run_keeps_what_the_listing_says(tmp_path):
    predictions = [
        replace(p, pair=replace(p.pair, agreement="agrees" if row else ""))
        for row, p in enumerate(answers(3, wrong=[]))
    ]
    run = make_run(tmp_path / "base", predictions)
    assert list(run.predictions) == predictions


def test_the_csv_has_a_column_for_each_metric(tmp_path):
    make_run(tmp_path, answers(2, wrong=[0]))
    with (tmp_path / "predictions.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["exact_match"] for row in rows] == ["0.0", "1.0"]
    assert {"id", "filename", "question", "answer", "prediction", "token_f1"} <= set(rows[0])


def test_an_unfinished_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"has no scorecard\.json; finish the run"):
        read_run(tmp_path)
    with pytest.raises(InputError, match="no such run folder"):
        read_run(tmp_path / "nowhere")


def test_runs_of_one_name_are_told_apart_by_their_parents(tmp_path):
    for parent in ("one", "two"):
        make_run(tmp_path / parent / "run", answers(2, wrong=[]))
    runs = read_runs([tmp_path / "one" / "run", tmp_path / "two" / "run"])
    assert [run.name for run in runs] == ["one/run", "two/run"]
    with pytest.raises(InputError, match="give each once"):
        read_runs([tmp_path / "one" / "run"] * 2)


def test_shards_are_numbered_with_five_digits(tmp_path):
    assert shard_path(tmp_path, 12) == tmp_path / "shards" / "shard-00012.parquet"


def test_a_score_that_is_unknown_stays_unknown_in_the_file(tmp_path, text_models):
    predictions = [predicted("a", "a", grounding=0.5), predicted("a", "a", image="b.jpg")]
    scorecard, columns = score_predictions(
        predictions,
        metrics=[METRICS["vtgs"]],
        text_models=text_models,
        train_pairs=None,
        provenance={},
    )
    write_results(tmp_path, predictions, columns, scorecard)
    _, columns = read_scored_predictions(tmp_path / "predictions.csv", ["vtgs"])
    assert columns["vtgs"][1] is None
    assert np.isnan(read_run(tmp_path).columns["vtgs"][1])
    with pytest.raises(InputError, match="no column csns"):
        read_scored_predictions(tmp_path / "predictions.csv", ["csns"])
    with pytest.raises(InputError, match="not a number"):
        read_scored_predictions(tmp_path / "predictions.csv", ["question"])
