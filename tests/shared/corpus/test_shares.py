"""Confidences that are none: no figure has them, and one line says so."""

import json

import pytest
from structlog.testing import capture_logs

from evaluator.scoring.coverage import Surest
from shared.corpus.predictions import read_prediction_table
from shared.corpus.results import read_results

CELLS = ["0.5", "high", " ", "nan", "inf", "17", "-1", "", "1", "1.0000001"]


def made(path, column="confidence"):
    rows = [f"{n}.png,what,red,red,{cell}" for n, cell in enumerate(CELLS)]
    path.write_text("\n".join([f"filename,question,answer,prediction,{column}", *rows]))
    return path


def test_what_is_no_confidence_is_counted_and_left_out_of_figures(tmp_path):
    with capture_logs() as logs:
        predictions = read_prediction_table(made(tmp_path / "a.csv")).predictions
    [told] = [each for each in logs if each["event"] == "cells_are_no_shares"]
    assert (told["column"], told["rows"], told["first_row"]) == ("confidence", 5, 2)
    usable = [row.probability for row in predictions if row.probability is not None]
    assert usable == [0.5, 1.0, 1.0]
    surest = Surest.of(predictions, [row.pair.filename for row in predictions])
    assert sorted(surest.confidence_N) == [*[-1.0] * 7, 0.5, 1.0, 1.0]
    # As it stands in the file, so that `calibrate` can refuse it.
    assert predictions[5].confidence == 17


@pytest.mark.parametrize("value", [17, -1, "high", True])
def test_results_joined_to_their_questions_say_so_too(tmp_path, value):
    asked = [row.pair for row in read_prediction_table(made(tmp_path / "a.csv")).predictions]
    rows = [{"image": "0.png", "question": "what", "prediction": "red", "confidence": value}]
    (tmp_path / "r.json").write_text(json.dumps(rows))
    with capture_logs() as logs:
        [row] = read_results(tmp_path / "r.json", asked).predictions
    assert row.probability is None
    assert [each["rows"] for each in logs if each["event"] == "cells_are_no_shares"] == [1]


def test_a_share_of_attention_that_is_none_is_left_out(tmp_path):
    with capture_logs() as logs:
        rows = read_prediction_table(made(tmp_path / "a.csv", "grounding")).predictions
    assert [row.grounding for row in rows if row.grounding is not None] == [0.5, 1.0, 1.0]
    assert [each["column"] for each in logs if "column" in each] == ["grounding"]
