"""Every command reads the same foreign file alike, and leaves out the same rows."""

from __future__ import annotations

import json

import pytest
from structlog.testing import capture_logs

import evaluator.__main__
from curator.rehearsal.script import RehearsalScript
from curator.rehearsal.wiring import read_answers
from evaluator.runs.rows.choices import SplitChoice
from evaluator.runs.rows.selection import select_pairs
from shared.program.cli import run_program
from tests.pictures import draw_gallery
from trainer.data.dataset import load_pairs
from trainer.export.checking import questions_of
from trainer.recipe.recipe import SplitRecipe

COLUMNS = {"answer": "truth", "question": "asks"}
OPTION = "answer=truth,question=asks"


@pytest.fixture
def foreign(tmp_path):
    """Rows with columns of their own names, ids for images, and one row without an answer."""
    pairs = draw_gallery(tmp_path / "images", 12)
    rows = [
        {"image_id": pair.filename.rpartition(".")[0], "asks": pair.question, "truth": pair.answer}
        for pair in pairs
    ]
    rows[1]["truth"] = None
    path = tmp_path / "foreign.json"
    path.write_text(json.dumps({"data": rows}), encoding="utf-8")
    return path, tmp_path / "images", {pair.filename for pair in pairs}, len(rows) - 1


def told_of(logs):
    return [(log["reason"], log["rows"], log["first_row"]) for log in logs if "reason" in log]


def command(*arguments):
    with pytest.raises(SystemExit) as leaving:
        run_program(evaluator.__main__.app, "evaluator", [*map(str, arguments)])
    return leaving.value.code


def test_data_are_read_alike_by_run_fit_and_rehearse(foreign, tmp_path):
    path, images, files, count = foreign
    script = RehearsalScript(
        answers=path, images=images, columns=COLUMNS, accept_unlisted_keys=True
    )
    readers = {
        "run": lambda: (
            select_pairs(path, SplitChoice.AUTO, images=str(images), columns=COLUMNS).pairs
        ),
        "fit": lambda: load_pairs(path, images, SplitRecipe(), columns=COLUMNS).everything,
    }
    for name, read in readers.items():
        with capture_logs() as logs:
            pairs = read()
        assert told_of(logs) == [("no answer", 1, 2)], name
        assert {pair.filename for pair in pairs} <= files
        assert len(pairs) == count
    with capture_logs() as logs:
        book = read_answers(script, tmp_path / "cache")
    assert told_of(logs) == [("no answer", 1, 2)]
    assert book.pair_count == count


def test_check_lists_what_is_left_out(foreign, capsys):
    path, images, _, count = foreign
    assert command("check", path, "--images", images, "--columns", OPTION, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["pairs"], found["missing_images"]) == (count, 0)
    assert found["left_out"] == [{"row": 2, "reason": "no answer"}]


def test_score_takes_the_names_of_columns_too(foreign, tmp_path, capsys):
    path, *_, count = foreign
    rows = json.loads(path.read_text(encoding="utf-8"))["data"]
    for row in rows:
        row["guess"] = row["truth"]
    answers = tmp_path / "answers.jsonl"
    answers.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    options = ["--metrics", "exact_match", "--json"]
    assert command("score", answers, "--columns", f"{OPTION},prediction=guess", *options) == 0
    scorecard = json.loads(capsys.readouterr().out)
    assert (scorecard["n"], scorecard["metrics"]["exact_match"]["mean"]) == (count, 1.0)
    assert scorecard["provenance"]["rows_left_out"] == 1


def test_a_misspelt_field_is_bad_input(foreign, capsys):
    assert command("check", foreign[0], "--columns", "anser=truth") == 2
    assert "did you mean 'answer'?" in capsys.readouterr().err


def test_files_without_image_names_claim_no_clusters_and_compare_in_any_order(tmp_path, capsys):
    rows = [
        {"question": f"how many on shelf {n}", "answer": str(n), "prediction": str(n % 7)}
        for n in range(40)
    ]
    for name, ordered in (("one", rows), ("two", rows[::-1])):
        path = tmp_path / f"{name}.jsonl"
        path.write_text("\n".join(map(json.dumps, ordered)), encoding="utf-8")
        assert command("score", path, "--metrics", "exact_match", "--out", tmp_path / name) == 0
    assert "40 questions without image names" in capsys.readouterr().out
    assert command("compare", tmp_path / "one", tmp_path / "two", "--json") == 0
    compared = json.loads(capsys.readouterr().out)
    assert (compared["n"], compared["images"], compared["clustered_by"]) == (40, 0, "row")
    assert compared["metrics"][0]["difference"]["mean"] == 0
    assert compared["mcnemar"]["only_base"] == compared["mcnemar"]["only_other"] == 0


def test_rows_that_have_nothing_but_ids_compare_in_any_order(tmp_path, capsys):
    rows = [{"id": n, "answer": f"a{n % 5}", "prediction": f"a{n % 3}"} for n in range(40)]
    for name, ordered in (("one", rows), ("two", rows[::-1])):
        path = tmp_path / f"{name}.jsonl"
        path.write_text("\n".join(map(json.dumps, ordered)), encoding="utf-8")
        assert command("score", path, "--metrics", "exact_match", "--out", tmp_path / name) == 0
    assert "intervals over 40 rows" in " ".join(capsys.readouterr().out.split())
    assert command("compare", tmp_path / "one", tmp_path / "two", "--json") == 0
    compared = json.loads(capsys.readouterr().out)
    assert (compared["n"], compared["clustered_by"]) == (40, "row")
    assert compared["mcnemar"]["only_base"] == compared["mcnemar"]["only_other"] == 0


def test_export_is_checked_with_foreign_columns_and_ids_for_images(foreign):
    path, images, files, count = foreign
    drawn = questions_of(path, images, 100, columns=COLUMNS)
    assert {pair.filename for pair in drawn.pairs} <= files
    assert len(drawn.pairs) == count
