"""Data with their pictures within are all that a command needs: nothing is unpacked by hand."""

from __future__ import annotations

import base64
import json
import shutil
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import evaluator.__main__
import trainer.__main__
from curator.commands.rehearse import _scene
from curator.rehearsal.wiring import read_answers
from shared.corpus import read_json, read_pairs
from shared.dataset.folder import write_dataset
from shared.dataset.opening import data_with_pictures, opened_data
from shared.errors import InputError
from shared.files.cache import CACHE_VARIABLE
from shared.program.cli import run_program
from tests.pictures import draw_gallery
from tests.trainer.recipes import SPLITS, fit_settings, write_recipe
from trainer.fitting.record import TRAINING_RECORD

STRUCT = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def gallery(tmp_path):
    """Pairs about pictures, and the folder of these."""
    return draw_gallery(tmp_path / "images", 20, SPLITS), tmp_path / "images"


def command(program, *arguments):
    module = {"evaluator": evaluator, "trainer": trainer}[program].__main__
    with pytest.raises(SystemExit) as leaving:
        run_program(module.app, program, [*map(str, arguments)])
    return leaving.value.code


def content(images, pair):
    return (images / pair.filename).read_bytes()


def as_text(images, pair):
    return base64.b64encode(content(images, pair)).decode()


def hub_shards(folder, pairs, images):
    (folder / "data").mkdir(parents=True)
    for split in ("train", "validation", "test"):
        chosen = [pair for pair in pairs if pair.split == split]
        cells = [{"bytes": content(images, pair), "path": None} for pair in chosen]
        table = pa.table(
            {
                "image": pa.array(cells, STRUCT),
                "question": [pair.question for pair in chosen],
                "answer": [pair.answer for pair in chosen],
            }
        )
        pq.write_table(table, folder / "data" / f"{split}-00000-of-00001.parquet")
    return folder


def tsv(folder, pairs, images):
    """Write a table as VLMEvalKit's: the second row about a picture has the index of the first."""
    held: dict[str, int] = {}
    rows = ["index\tquestion\tanswer\tsplit\timage"]
    for index, pair in enumerate(pairs):
        first = held.setdefault(pair.filename, index)
        cell = as_text(images, pair) if first == index else str(first)
        rows.append(f"{index}\t{pair.question}\t{pair.answer}\t{pair.split}\t{cell}")
    folder.mkdir()
    (folder / "bench.tsv").write_text("\n".join(rows), encoding="utf-8")
    return folder / "bench.tsv"


def json_rows(folder, pairs, images):
    rows = [
        {
            "question": pair.question,
            "answer": pair.answer,
            "split": pair.split,
            "image": f"data:image/png;base64,{as_text(images, pair)}",
        }
        for pair in pairs
    ]
    folder.mkdir()
    (folder / "rows.json").write_text(json.dumps(rows), encoding="utf-8")
    return folder / "rows.json"


def exported(folder, pairs, images):
    write_dataset(pairs, folder, source={}, split_rule={}, embed_from=images)
    return folder


FORMS = pytest.mark.parametrize("form", [hub_shards, tsv, json_rows, exported])


@FORMS
def test_data_are_moved_alone_and_checked_fitted_and_answered(
    form, gallery, tiny_model, tmp_path, capsys
):
    pairs, images = gallery
    data = shutil.move(form(tmp_path / "made", pairs, images), tmp_path / "moved-data")
    if data.is_file():
        data = data.rename(data.with_suffix({tsv: ".tsv", json_rows: ".json"}[form]))
    shutil.rmtree(images)

    assert command("evaluator", "check", data, "--json") == 0
    checked = json.loads(capsys.readouterr().out)
    assert (checked["pairs"], checked["images"], checked["missing_images"]) == (40, 20, 0)

    settings = fit_settings(tiny_model, tmp_path, data=str(data), epochs=1)
    del settings["images"]
    recipe = write_recipe(tmp_path / "recipe.toml", settings)
    assert command("trainer", "fit", recipe) == 0
    kept = read_pairs(tmp_path / "out" / "dataset")
    assert {pair.split for pair in kept} == {"train", "validation", "test"}
    assert len({pair.filename for pair in kept}) == 20

    out = tmp_path / "answers.csv"
    words = ["--model", tiny_model, "--quantize", "none", "--csv", data, "--out", out]
    assert command("evaluator", "predict", *words) == 0
    assert f"{out}: 40 answers" in capsys.readouterr().out


def test_a_rehearsal_answers_from_data_with_their_pictures_within(gallery, tmp_path):
    pairs, images = gallery
    folder = exported(tmp_path / "made", pairs, images)
    scene = _scene(None, str(folder), None)
    assert read_answers(scene, tmp_path / "index").pair_count == 40
    with pytest.raises(InputError, match="holds no pictures; say with --images"):
        _scene(None, str(folder / "qa.parquet"), None)


def test_pictures_are_kept_once_for_each_state_of_the_data(gallery, tmp_path, cache):
    pairs, images = gallery
    data = json_rows(tmp_path / "made", pairs, images)
    first, second = data_with_pictures(data), data_with_pictures(data)
    assert first == second
    data.write_text(json.dumps(json.loads(data.read_text())[:2]), encoding="utf-8")
    third = data_with_pictures(data)
    assert third.images != first.images
    assert len(read_pairs(third.rows)) == 2
    assert len(list((cache / "pictures").iterdir())) == 2


def test_pictures_beside_the_rows_are_found(gallery, tmp_path):
    pairs, images = gallery
    shards = hub_shards(tmp_path / "hub", pairs, images)
    assert command("evaluator", "unpack", shards, "--out", tmp_path / "out") == 0
    opened = opened_data(str(tmp_path / "out" / "rows.parquet"), None)
    assert opened.images == str(tmp_path / "out" / "images")


def test_a_folder_beside_data_that_has_other_pictures_is_passed_over(gallery, tmp_path, capsys):
    path = tmp_path / "pairs.csv"
    path.write_text("question,answer,filename\nq,a,elsewhere.png\n", encoding="utf-8")
    assert command("evaluator", "check", path, "--json") == 0
    assert json.loads(capsys.readouterr().out)["missing_images"] == 0


def test_data_without_pictures_ask_for_them(tmp_path, tiny_model, capsys):
    path = tmp_path / "set" / "pairs.csv"
    path.parent.mkdir()
    path.write_text("question,answer,filename\nq,a,1.png\n", encoding="utf-8")
    words = ["--data", path, "--model", tiny_model, "--out", tmp_path / "run"]
    assert command("evaluator", "run", *words) == 2
    assert "holds no pictures; say with --images where they lie" in capsys.readouterr().err
    settings = fit_settings(tiny_model, tmp_path, data=str(path))
    del settings["images"]
    assert command("trainer", "fit", write_recipe(tmp_path / "recipe.toml", settings)) == 2
    assert "say with `images` in the recipe where they lie" in capsys.readouterr().err
    with pytest.raises(InputError, match="no such file"):
        opened_data(str(tmp_path / "none.csv"), None)


def test_a_picture_is_written_nowhere_but_below_its_folder(gallery, tmp_path, cache):
    pairs, images = gallery
    outside = replace(pairs[0], filename="../outside.png")
    shutil.copy(images / pairs[0].filename, tmp_path / "outside.png")
    folder = exported(tmp_path / "made", [outside], images)
    with pytest.raises(InputError, match="no name in a folder"):
        data_with_pictures(folder)
    assert not list((cache / "pictures").iterdir())


def test_what_a_run_was_given_is_what_its_record_says(gallery, tmp_path, tiny_model):
    pairs, images = gallery
    folder = exported(tmp_path / "made", pairs, images)
    settings = fit_settings(tiny_model, tmp_path, data=str(folder), epochs=1)
    del settings["images"]
    assert command("trainer", "fit", write_recipe(tmp_path / "recipe.toml", settings)) == 0
    record = read_json(tmp_path / "out" / TRAINING_RECORD)
    found = (tmp_path / "out" / record["images"]).resolve()
    assert found == (tmp_path / "cache" / "pictures").resolve() / found.name
