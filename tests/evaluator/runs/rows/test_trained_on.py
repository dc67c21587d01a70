"""What was trained on is marked beside every answer, and heeded by whoever reads the answers."""

import csv
import json
import shutil
from dataclasses import replace

import pytest

from evaluator.__main__ import app
from evaluator.comparing.differences import compare_runs, sentences
from evaluator.reporting.findings import findings
from evaluator.runs.folder import read_run
from shared.corpus import read_json, read_predictions, write_json, write_predictions
from shared.dataset.training_images import TrainingImages, write_training_images
from shared.errors import InputError
from shared.images.fingerprints import fingerprints
from shared.images.source import ImageFolder
from shared.program.cli import run_program
from tests.evaluator.run_folders import answers, make_run

COUNTS = {
    "became": "left out",
    "images": 20,
    "of_images": 60,
    "rows": 20,
    "of_rows": 60,
    "scored": 40,
    "chosen_by": 0,
    "pretrained_on": 0,
    "asked_sha256": "a" * 64,
}


def evaluator(*arguments) -> int:
    with pytest.raises(SystemExit) as leaving:
        run_program(app, "evaluator", [str(argument) for argument in arguments])
    return leaving.value.code


@pytest.fixture
def trained_model(tmp_path, tiny_model, pictures):
    """A model that was trained on 000.png and 001.png, over a base pretrained on 001 to 003.png."""
    folder = tmp_path / "model"
    shutil.copytree(tiny_model, folder)
    prints = [*fingerprints(ImageFolder(pictures[0]), [f"00{n}.png" for n in range(4)]).values()]
    images = TrainingImages(trained_on=prints[:2], pretrained_on=prints[1:])
    write_training_images(images, folder)
    return folder


def test_answers_say_which_images_were_trained_on_and_scoring_leaves_them_out(
    tmp_path, trained_model, pictures, capsys
):
    rows = [
        [pair.filename, pair.question, pair.answer]
        for pair in pictures[1]
        if pair.filename in {"000.png", "001.png", "002.png", "004.png"}
    ]
    with (tmp_path / "asked.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["filename", "question", "answer"], *rows])
    out = tmp_path / "answered.csv"
    model = ("--model", trained_model, "--quantize", "none")
    data = ("--csv", tmp_path / "asked.csv", "--images", pictures[0], "--out", out)
    assert evaluator("predict", *model, *data) == 0
    told = capsys.readouterr().err
    assert "2 of 4" in told
    assert "images_pretrained_on" in told
    assert "1 of 4" in told
    with out.open(encoding="utf-8", newline="") as file:
        answered = list(csv.DictReader(file))
    assert {row["filename"]: row["trained_on"] for row in answered} == {
        "000.png": "True",
        "001.png": "True",
        "002.png": "False",
        "004.png": "False",
    }
    assert {row["filename"] for row in answered if row["pretrained_on"] == "True"} == {"002.png"}
    assert evaluator("score", out, "--metrics", "exact_match", "--json") == 0
    scorecard = json.loads(capsys.readouterr().out)
    assert scorecard["n"] == sum(row["filename"] in {"002.png", "004.png"} for row in answered)
    assert scorecard["provenance"]["trained_on"]["images"] == 2
    assert scorecard["provenance"]["trained_on"]["pretrained_on"] == 1
    options = ("--metrics", "exact_match", "--include-trained-on", "--json")
    assert evaluator("score", out, *options) == 0
    scorecard = json.loads(capsys.readouterr().out)
    assert scorecard["n"] == len(answered)
    assert scorecard["provenance"]["trained_on"]["became"] == "included"


def test_nothing_left_of_a_file_is_bad_input(tmp_path, capsys):
    rows = [replace(row, pair=replace(row.pair, trained_on=True)) for row in answers(3, wrong=[])]
    write_predictions(rows, tmp_path / "all.csv", {})
    assert evaluator("score", tmp_path / "all.csv", "--metrics", "exact_match") == 2
    assert "--include-trained-on" in capsys.readouterr().err


def run_with(folder, predictions, **settings):
    make_run(folder, predictions)
    write_json(read_json(folder / "run.json") | settings, folder / "run.json")
    scorecard = read_json(folder / "scorecard.json")
    scorecard["provenance"] |= settings
    write_json(scorecard, folder / "scorecard.json")
    return read_run(folder)


def test_runs_that_left_out_different_rows_are_compared_on_what_both_answer(tmp_path):
    base = run_with(tmp_path / "base", answers(60, wrong=range(30)), data_sha256="a" * 64)
    tuned = run_with(tmp_path / "tuned", answers(60, wrong=[])[20:], trained_on=COUNTS)
    comparison = compare_runs(base, tuned)
    assert (comparison.n, comparison.left_out) == (40, 20)
    assert comparison.mcnemar.only_other == 10
    assert any(
        "20 rows that one of the models was trained on are left out" in sentence
        for sentence in sentences(comparison)
    )
    other_data = run_with(tmp_path / "more", answers(60, wrong=[]), data_sha256="b" * 64)
    with pytest.raises(InputError, match="answer different data"):
        compare_runs(other_data, tuned)


def test_the_report_and_the_comparison_say_what_is_no_honest_score(tmp_path):
    rows = [
        replace(row, pair=replace(row.pair, trained_on=number < 20))
        for number, row in enumerate(answers(60, wrong=[3]))
    ]
    counts = COUNTS | {"became": "included"}
    run = run_with(tmp_path / "run", rows, trained_on=counts, data_sha256="a" * 64)
    assert any("no score on unseen images" in sentence for sentence in findings([run]))
    base = run_with(tmp_path / "base", answers(60, wrong=[]), data_sha256="a" * 64)
    assert compare_runs(base, run).trained_on == 20
    assert "no honest comparison" in " ".join(sentences(compare_runs(base, run)))


def test_what_only_a_base_was_pretrained_on_is_told_and_compared(tmp_path):
    rows = [
        replace(row, pair=replace(row.pair, pretrained_on=number < 20))
        for number, row in enumerate(answers(60, wrong=[3]))
    ]
    counts = COUNTS | {"images": 0, "rows": 0, "scored": 60, "pretrained_on": 20}
    run = run_with(tmp_path / "run", rows, trained_on=counts, data_sha256="a" * 64)
    base = run_with(tmp_path / "base", answers(60, wrong=[]), data_sha256="a" * 64)
    assert any("pretrained on 20 of 60 images" in sentence for sentence in findings([run]))
    comparison = compare_runs(base, run)
    assert (comparison.n, comparison.trained_on, comparison.pretrained_on) == (60, 0, 20)
    assert "20 of the 60 rows are about images that a base" in " ".join(sentences(comparison))


def test_products_are_drawn_where_rows_name_them(tmp_path):
    """Three views of a product that go right or wrong together are worth one."""
    rows = [
        replace(row, pair=replace(row.pair, product=f"P{number // 3}"))
        for number, row in enumerate(answers(60, wrong=range(30)))
    ]
    write_predictions(rows, tmp_path / "rows.parquet", {})
    again = read_predictions(tmp_path / "rows.parquet")
    assert [row.pair.product for row in again] == [row.pair.product for row in rows]
    by_product = make_run(tmp_path / "product", again).scorecard
    by_image = make_run(tmp_path / "image", answers(60, wrong=range(30))).scorecard
    assert (by_product.units, by_product.clustered_by) == (20, "product")
    assert (by_image.units, by_image.clustered_by) == (60, "image")
    widths = [
        card.scores.metrics["exact_match"].ci95[1] - card.scores.metrics["exact_match"].ci95[0]
        for card in (by_product, by_image)
    ]
    assert widths[0] > 1.5 * widths[1]
