"""Files that benchmarks' servers take: `evaluator predict --submission`."""

import json

import pytest

from evaluator.__main__ import app
from evaluator.runs.predicting.benchmarks import Submission
from evaluator.runs.predicting.submissions import asked_for, write_submission
from shared.corpus import read_pairs, read_questions
from shared.corpus.results import read_results
from shared.errors import InputError
from shared.program.cli import run_program
from tests.models import QUESTIONS


def predict(model, *arguments) -> int:
    words = ["predict", "--model", str(model), "--quantize", "none", *map(str, arguments)]
    with pytest.raises(SystemExit) as leaving:
        run_program(app, "evaluator", words)
    return leaving.value.code


def as_json(path, value):
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


ROWS = [
    {"question_id": "262148000", "image": "002.png", "question": QUESTIONS[0], "answer": "red"},
    {"question_id": "262148001", "image": "000.png", "question": QUESTIONS[3], "answer": "two"},
]


def test_a_models_answers_are_written_as_the_server_takes_them(tiny_model, pictures, tmp_path):
    asked, out = as_json(tmp_path / "asked.json", ROWS), tmp_path / "results.json"
    words = ["--csv", asked, "--images", pictures[0], "--out", out, "--submission", "vqa-v2"]
    assert predict(tiny_model, *words) == 0
    rows = json.loads(out.read_text(encoding="utf-8"))
    assert [row.pop("question_id") for row in rows] == [262148000, 262148001]
    assert all(set(row) == {"answer"} and row["answer"] for row in rows)


@pytest.mark.parametrize(
    ("submission", "keys", "name"),
    [
        ("vqa-v2", {"question_id", "answer"}, 262148000),
        ("textvqa", {"question_id", "answer"}, 262148000),
        ("docvqa", {"questionId", "answer"}, 262148000),
        ("gqa", {"questionId", "prediction"}, "262148000"),
        ("vizwiz", {"image", "answer"}, "002.png"),
    ],
)
def test_each_form_is_read_again_as_the_same_answers(tmp_path, submission, keys, name):
    data = as_json(tmp_path / "data.json", ROWS)
    table = read_questions(data)
    names = asked_for(Submission(submission), table, data)
    out = tmp_path / "results.json"
    write_submission(Submission(submission), names, ["blue", "none"], out)
    rows = json.loads(out.read_text(encoding="utf-8"))
    assert [set(row) for row in rows] == [keys, keys]
    assert name in rows[0].values()
    read = read_results(out, read_pairs(data)).predictions
    assert [(each.pair.answer, each.answer) for each in read] == [("red", "blue"), ("two", "none")]


@pytest.mark.parametrize(
    ("rows", "submission", "told"),
    [
        ([{**row, "question_id": ""} for row in ROWS], "vqa-v2", "a row has no question id; name"),
        ([{**row, "question_id": "5"} for row in ROWS], "gqa", "question id 5 stands in 2 rows"),
        (
            [{**row, "question_id": "05"[place:]} for place, row in enumerate(ROWS)],
            "vqa-v2",
            "question id 5 stands in 2 rows",
        ),
        ([{**row, "image": "a/1.png"} for row in ROWS], "vizwiz", "image 1.png stands in 2 rows"),
    ],
)
def test_rows_that_a_server_could_not_tell_apart_are_one_line(tmp_path, rows, submission, told):
    path = as_json(tmp_path / "asked.json", rows)
    with pytest.raises(InputError, match=told):
        asked_for(Submission(submission), read_questions(path), path)


def test_nothing_is_written_where_ids_are_missing(tiny_model, tmp_path, capsys):
    rows = [{key: cell for key, cell in row.items() if key != "question_id"} for row in ROWS]
    asked, out = as_json(tmp_path / "asked.json", rows), tmp_path / "results.json"
    (tmp_path / "images").mkdir()
    words = ["--csv", asked, "--images", tmp_path / "images", "--submission", "gqa"]
    assert predict(tiny_model, *words, "--out", out) == 2
    assert "a row has no question id" in capsys.readouterr().err
    assert predict(tiny_model, *words, "--out", tmp_path / "results.csv") == 2
    assert "name a .json file" in capsys.readouterr().err
    assert not out.exists()
