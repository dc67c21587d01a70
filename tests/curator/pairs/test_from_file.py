"""A file of pairs, such as an export that was edited, becomes a data set folder again."""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

import curator.__main__
import evaluator.__main__
import trainer.__main__
from shared.corpus import read_json, read_pairs, read_whole_pairs, write_pairs
from shared.dataset.folder import write_dataset
from shared.program.cli import run_program
from shared.records.column_kinds import ColumnKind
from tests.pictures import draw_gallery
from tests.trainer.recipes import SPLITS

EXTRA = {"style": ColumnKind.STRING, "shelf": ColumnKind.INTEGER, "code": ColumnKind.STRING}


def command(program, *arguments):
    app = {"curator": curator, "evaluator": evaluator, "trainer": trainer}[program].__main__.app
    with pytest.raises(SystemExit) as leaving:
        run_program(app, program, [*map(str, arguments)])
    return leaving.value.code


@pytest.fixture
def images(tmp_path):
    return tmp_path / "images"


@pytest.fixture
def pairs(images):
    """Pairs with what a prompt asked for besides, two pictures of each product."""
    return [
        replace(
            pair,
            split=None,
            product=f"product {int(pair.filename[:3]) // 2}",
            extra=(("style", "colour"), ("shelf", number), ("code", f"0{number}")),
        )
        for number, pair in enumerate(draw_gallery(images, 20, SPLITS))
    ]


@pytest.fixture
def exported(pairs, tmp_path):
    path = tmp_path / "pairs.csv"
    columns = ("id", "question", "answer", "filename", "product")
    write_pairs(pairs, path, csv_columns=columns, extra=EXTRA)
    return path


def edited(path, change):
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    rows = [row for row in map(change, rows) if row]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def splits_of(pairs, name):
    found = {}
    for pair in pairs:
        found.setdefault(getattr(pair, name), set()).add(pair.split)
    return found


def test_an_edited_export_becomes_a_folder_with_all_it_had(exported, images, pairs, tmp_path):
    def change(row):
        row["answer"] = "scarlet" if row["answer"] == "red" else row["answer"]
        return row

    edited(exported, change)
    out = tmp_path / "out"
    words = [exported, "--images", images, "--out", out, "--license", "cc-by-4.0"]
    assert command("curator", "dataset", *words) == 0
    table, extra = read_whole_pairs(out)
    made = list(table.pairs)
    assert extra == EXTRA
    assert [(pair.id, pair.filename, pair.question, pair.extra) for pair in made] == [
        (pair.id, pair.filename, pair.question, pair.extra) for pair in pairs
    ]
    assert "scarlet" in {pair.answer for pair in made}
    assert "red" not in {pair.answer for pair in made}
    # Nothing of one product is in two splits, and there are all three.
    assert all(len(splits) == 1 for splits in splits_of(made, "product").values())
    assert {pair.split for pair in made} == {"train", "validation", "test"}
    manifest = read_json(out / "manifest.json")
    assert manifest["source"]["file"] == "pairs.csv"
    assert manifest["extra_columns"] == {name: kind.value for name, kind in EXTRA.items()}
    assert 'license: "cc-by-4.0"' in (out / "README.md").read_text(encoding="utf-8")


def test_the_same_images_come_into_the_same_splits_whatever_was_edited(exported, images, tmp_path):
    assert command("curator", "dataset", exported, "--images", images, "--out", tmp_path / "a") == 0
    with exported.open(encoding="utf-8") as file:
        head, *rows = file.read().splitlines()
    exported.write_text("\n".join([head, *reversed(rows[:-1])]), encoding="utf-8")
    assert command("curator", "dataset", exported, "--images", images, "--out", tmp_path / "b") == 0
    before, after = (splits_of(read_pairs(tmp_path / name), "filename") for name in "ab")
    assert before == after


def test_splits_of_the_file_are_kept_and_leaks_in_them_told(exported, images, tmp_path):
    edited(exported, lambda row: row | {"split": "val" if row["filename"] < "004" else "train"})
    words = [exported, "--images", images, "--out", tmp_path / "out"]
    assert command("curator", "dataset", *words) == 0
    kept = splits_of(read_pairs(tmp_path / "out"), "filename")
    assert {splits.pop() for name, splits in kept.items() if name < "004"} == {"validation"}
    assert read_json(tmp_path / "out" / "manifest.json")["split_rule"]["rule"] == "the data's own"
    edited(exported, lambda row: row | {"split": "val" if row["filename"] < "003" else "train"})
    with capture_logs() as logs:
        assert command("curator", "dataset", *words) == 0
    assert [log["event"] for log in logs if log["log_level"] == "warning"] == ["splits_leak"]


def test_a_folder_is_divided_anew_where_that_is_asked(pairs, images, tmp_path):
    placed = [replace(pair, split="train", unit_id="old") for pair in pairs]
    write_dataset(placed, tmp_path / "a", source={}, split_rule={}, extra=EXTRA)
    words = [tmp_path / "a", "--images", images, "--out", tmp_path / "b", "--columns", "split="]
    assert command("curator", "dataset", *words) == 0
    made = read_pairs(tmp_path / "b")
    assert {pair.split for pair in made} == {"train", "validation", "test"}
    assert "old" not in {pair.unit_id for pair in made}


def test_what_people_found_wrong_teaches_nobody(exported, images, tmp_path):
    def change(row):
        return row | {"split": "train", "label_review": "Rejected" if row["shelf"] == "3" else ""}

    edited(exported, change)
    # Pasted twice.
    exported.write_text(exported.read_text() + exported.read_text().splitlines()[-1] + "\n")
    words = [exported, "--images", images, "--out", tmp_path / "out"]
    with capture_logs() as logs:
        assert command("curator", "dataset", *words) == 0
    assert len(read_pairs(tmp_path / "out")) == 40
    told = {log["event"]: log["rows"] for log in logs if log["log_level"] == "warning"}
    assert told == {"rows_say_the_same_again": 1, "rows_left_out": 1}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda row: row | {"filename": row["filename"].replace("003", "x")}, "1 of the images"),
        (lambda row: row | {"split": "train" if row["shelf"] == "3" else ""}, "have no split"),
        (lambda row: row | {"label_review": "acepted"}, "holds 'acepted'; use accepted, corrected"),
        (lambda row: row | {"label_sample": "some"}, "holds 'some'; use whole, without rejected"),
    ],
)
def test_what_cannot_be_used_is_one_line_and_makes_nothing(
    change, reason, exported, images, tmp_path, capsys
):
    edited(exported, change)
    words = [exported, "--images", images, "--out", tmp_path / "out"]
    assert command("curator", "dataset", *words) == 2
    assert reason in capsys.readouterr().err.strip().splitlines()[-1]
    assert not (tmp_path / "out").exists()


def card_blocks(folder, kind):
    return re.findall(rf"```{kind}\n(.*?)```", (folder / "README.md").read_text("utf-8"), re.DOTALL)


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.parametrize("embeds", [True, pytest.param(False, marks=pytest.mark.long)])
def test_the_commands_of_the_card_can_be_typed(embeds, exported, images, tiny_model, tmp_path):
    words = [exported, "--images", images, "--out", tmp_path / "made"]
    assert command("curator", "dataset", *words, *(["--embed-images"] if embeds else [])) == 0
    moved = shutil.move(tmp_path / "made", tmp_path / "elsewhere")
    if embeds:
        shutil.rmtree(images)
    said = {
        "THIS_FOLDER": str(moved),
        "IMAGES": str(images),
        "Salesforce/blip-vqa-base": str(tiny_model),
    }
    [recipe], [typed] = card_blocks(moved, "toml"), card_blocks(moved, "sh")
    for word, value in said.items():
        recipe, typed = recipe.replace(word, value), typed.replace(word, value)
    assert ("--images" in typed) is not embeds
    # A small model needs no hub, and is trained on as few steps as there can be.
    (tmp_path / "recipe.toml").write_text(f'{recipe}epochs = 1\nquantize = "none"\n')
    for line in typed.replace("\\\n", "").strip().splitlines():
        program, *arguments = line.split()
        if arguments[0] == "run":
            arguments += ["--quantize", "none", "--metrics", "exact_match"]
        ended = subprocess.run(
            [sys.executable, "-m", program, *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "run" / "scorecard.json").is_file()
