"""Public data sets are read as they are published, and their results as benchmarks take them."""

import json

import pytest
from structlog.testing import capture_logs

import evaluator.__main__
from shared.corpus import parse_columns, read_pairs, read_prediction_table
from shared.corpus.results import read_results
from shared.errors import InputError
from shared.images.names import find_images
from shared.program.cli import run_program
from tests.shared.corpus.published import PUBLISHED

EACH = pytest.mark.parametrize("published", PUBLISHED, ids=lambda published: published.name)


def texts_of(pairs):
    return [(pair.question, pair.answer, pair.filename) for pair in pairs]


def as_json(path, value):
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def command(*arguments):
    with pytest.raises(SystemExit) as leaving:
        run_program(evaluator.__main__.app, "evaluator", [*map(str, arguments)])
    return leaving.value.code


@EACH
def test_a_public_data_set_is_read_as_it_is_published(tmp_path, published):
    pairs = read_pairs(published.write(tmp_path))
    assert texts_of(pairs) == list(published.pairs)
    image = tmp_path / published.images / published.image
    image.parent.mkdir(parents=True)
    image.write_bytes(b"\xff\xd8")
    found = find_images([pairs[0].filename], tmp_path / published.images).renamed(pairs[:1])
    assert [pair.filename for pair in found] == [published.image]


@EACH
def test_results_without_references_are_scored_with_the_data(tmp_path, published, capsys):
    data = published.write(tmp_path)
    results = as_json(tmp_path / "results.json", published.results)
    words = ["score", results, "--data", data, "--metrics", "exact_match", "--json"]
    assert command(*words) == 0
    told = capsys.readouterr()
    scorecard = json.loads(told.out)
    assert (scorecard["n"], scorecard["metrics"]["exact_match"]["mean"]) == (1, 1.0)
    assert scorecard["provenance"]["references_from"] == data.name
    assert ("questions_without_prediction" in told.err) == (len(published.pairs) > 1)


def asked(tmp_path, *questions):
    rows = [
        {"id": n, "question": question, "answer": f"a{n}", "image": image}
        for n, (question, image) in enumerate(questions)
    ]
    return read_pairs(as_json(tmp_path / "data.json", rows))


def test_results_are_joined_by_id_else_by_image_and_question_else_by_image(tmp_path):
    pairs = asked(tmp_path, ("q", "1.png"), ("r", "1.png"), ("q", "2.png"))
    rows = [
        {"id": 0, "answer": "by id"},
        {"image": "1.png", "question": "r", "answer": "by image and question"},
        {"image": "2.png", "answer": "by image"},
        {"image": "1.png", "answer": "one of two"},
        {"id": 9, "answer": "of no question"},
    ]
    table = read_results(as_json(tmp_path / "results.json", rows), pairs)
    assert [(each.pair.answer, each.answer) for each in table.predictions] == [
        ("a0", "by id"),
        ("a1", "by image and question"),
        ("a2", "by image"),
    ]
    assert [row.row for row in table.left_out] == [4, 5]


def test_an_id_that_is_another_rows_pairs_nothing_wrongly(tmp_path):
    pairs = asked(tmp_path, ("Is it red?", "1.png"), ("Is it round?", "1.png"), ("Why?", "2.png"))
    rows = [
        # Numbered in another order: image and question say which row it is.
        {"id": 1, "image": "1.png", "question": "is it  red?", "answer": "by image and question"},
        # A whole prompt, and a picture that the data calls otherwise.
        {"id": 1, "image": "x/1", "question": "Is it round?\nIn one word.", "answer": "by id"},
        {"id": 2, "question": "Is it red?", "answer": "of another question"},
        {"id": 2, "image": "1.png", "answer": "of another image"},
    ]
    with capture_logs() as logs:
        table = read_results(as_json(tmp_path / "results.json", rows), pairs)
    assert [(each.pair.answer, each.answer) for each in table.predictions] == [
        ("a0", "by image and question"),
        ("a1", "by id"),
    ]
    assert [row.row for row in table.left_out] == [3, 4]
    told = {log["event"]: log for log in logs}
    assert (
        told["rows_left_out"]["reason"] == "its id is that of another question or image in the data"
    )
    assert (told["ids_are_others"]["rows"], told["ids_are_others"]["first"]) == (1, "1")


def test_a_question_that_is_answered_twice_alike_counts_once(tmp_path):
    pairs = asked(tmp_path, ("q", "1.png"))
    rows = [{"id": 0, "answer": "red"}, {"id": 0, "answer": "red"}]
    path = as_json(tmp_path / "results.json", rows)
    assert len(read_results(path, pairs).predictions) == 1
    as_json(path, [*rows, {"id": 0, "answer": "blue"}])
    with pytest.raises(InputError, match="row 3: answers 0 again and differently"):
        read_results(path, pairs)


def test_results_of_other_data_are_one_line(tmp_path):
    pairs = asked(tmp_path, ("q", "1.png"))
    path = as_json(tmp_path / "results.json", [{"id": 7, "answer": "red"}])
    with pytest.raises(InputError, match="1 left out: its question is not in the data"):
        read_results(path, pairs)
    as_json(path, [{"id": 0, "score": 1}])
    with pytest.raises(InputError, match=r"no column of predictions; .* --columns prediction=NAME"):
        read_results(path, pairs)
    [read] = read_results(path, pairs, parse_columns("prediction=score")).predictions
    assert read.answer == "1"


def test_a_harness_rows_are_scored_with_what_they_were_made_of(tmp_path):
    document = {"question_id": 1, "question": "Is it?", "image_id": 5, "answers": ["yes", "no"]}
    row = {
        "doc_id": 0,
        "doc": document,
        "target": "",
        "input": "Is it?\nAnswer in one word.",
        "resps": [["Yes"]],
        "filtered_resps": ["Yes"],
        "exact_match": 1.0,
    }
    told = {**row, "doc": {**document, "answer": "B"}, "target": "Yes"}
    for name, value in {
        "samples.jsonl": row,
        "whole.json": {"args": {"model": "m"}, "logs": [row], "time": "0203"},
    }.items():
        [read] = read_prediction_table(as_json(tmp_path / name, value)).predictions
        assert read.pair.answers == ("yes", "no")
        assert (read.pair.question, read.pair.filename, read.answer) == ("Is it?", "5", "Yes")
    with capture_logs() as logs:
        [read] = read_prediction_table(as_json(tmp_path / "told.jsonl", told)).predictions
    # What the harness judged by goes before what its document says.
    assert (read.pair.answer, logs) == ("Yes", [])


LETTERS = "index\tquestion\tA\tB\tC\tanswer\timage\n1\twhich\tnorth\tsouth\t\tB\ta.jpg\n"


def test_letters_of_columns_are_what_stands_there(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text(LETTERS, encoding="utf-8")
    assert [pair.answer for pair in read_pairs(path)] == ["south"]
    assert [pair.answer for pair in read_pairs(path, parse_columns("choices="))] == ["B"]
    # A harness compares letters.
    path.write_text(LETTERS.replace("index", "prediction"), encoding="utf-8")
    assert [row.pair.answer for row in read_prediction_table(path).predictions] == ["B"]
    path.write_text(LETTERS.replace("\tB\ta.jpg", "\tC\ta.jpg"), encoding="utf-8")
    assert [pair.answer for pair in read_pairs(path)] == ["C"]
