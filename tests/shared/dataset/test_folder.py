"""The folder as `datasets` reads it: splits, types, images; and as it is while it is written."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from shared.corpus import MANIFEST_FILE, QA_FILE, read_json, read_pairs
from shared.dataset.folder import CARD_FILE, write_dataset
from shared.files.digests import file_digest
from shared.records import QAPair, Split
from shared.records.boxes import Box

PLACES: tuple[Split, ...] = ("train", "train", "train", "validation", "test")


def pairs(count: int = 5) -> list[QAPair]:
    return [
        QAPair(
            id=f"{image}-{number}",
            question=f"What is part {number}?",
            answer="leg",
            filename=f"{image}.jpg",
            split=PLACES[image % 5],
            agreement=("agrees", "disagrees", "unknown")[number],
            second_answer="leg" if number == 0 else "",
            second_opinion="agrees" if number == 0 else "",
            boxes=(Box(0, 0.25, 0.5, 1),) if number == 0 else (),
        )
        for image in range(count)
        for number in range(3)
    ]


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(4):
        noise = Image.frombytes("RGB", (64, 64), os.urandom(64 * 64 * 3))
        noise.save(folder / f"{number}.jpg", quality=95)
    return folder


def loaded(folder: Path, cache: Path):
    datasets = pytest.importorskip("datasets", reason="the library `datasets` is not installed")
    datasets.disable_progress_bars()
    return datasets, datasets.load_dataset(str(folder), cache_dir=str(cache))


def test_datasets_gives_the_splits_of_the_folder(tmp_path):
    folder = tmp_path / "set"
    assert write_dataset(pairs(), folder, source={"model": "m"}, split_rule={"seed": 0}) == 15
    datasets, splits = loaded(folder, tmp_path / "cache")
    assert {name: len(rows) for name, rows in splits.items()} == {
        "train": 9,
        "validation": 3,
        "test": 3,
    }
    features = dict(splits["train"].features)
    assert features.pop("boxes") == datasets.List(datasets.List(datasets.Value("float64")))
    assert {feature.dtype for feature in features.values()} == {"string"}
    rows = {row["id"]: row for split in splits.values() for row in split}
    assert {name: row["split"] for name, row in rows.items()} == {
        pair.id: pair.split for pair in read_pairs(folder)
    }
    assert rows["0-0"]["second_opinion"] == "agrees"
    assert rows["0-0"]["boxes"] == [[0, 0.25, 0.5, 1]]
    assert not rows["0-1"]["boxes"]
    assert isinstance(splits["train"].features["question"], datasets.Value)


@pytest.mark.parametrize("with_splits", [True, False])
def test_datasets_reads_the_pairs_whatever_lies_beside_them(tmp_path, with_splits):
    """Since 5.1.0 a folder whose card names no files is one of tasks where these two are in it."""
    folder = tmp_path / "set"
    rows = [pair if with_splits else replace(pair, split="") for pair in pairs()]
    write_dataset(rows, folder, source={}, split_rule={})
    (folder / "instruction.md").write_text("Say what you see.\n")
    (folder / "task.toml").write_text('version = "1.0"\n')
    _, splits = loaded(folder, tmp_path / "cache")
    assert sorted(row["id"] for split in splits.values() for row in split) == sorted(
        pair.id for pair in rows
    )


def test_images_are_decoded_stored_once_and_missing_ones_counted(tmp_path, images):
    folder = tmp_path / "set"
    write_dataset(pairs(), folder, source={}, split_rule={}, embed_from=images)
    datasets, splits = loaded(folder, tmp_path / "cache")
    assert isinstance(splits["train"].features["image"], datasets.Image)
    for row in splits["train"]:
        assert row["image"].size == (64, 64)
        with Image.open(images / row["filename"]) as original:
            assert original.tobytes() == row["image"].tobytes()
    assert [row["image"] for row in splits["test"]] == [None] * 3
    manifest = read_json(folder / MANIFEST_FILE)
    assert (manifest["images_missing"], manifest["images_embedded"]) == (1, True)
    of_images = sum((images / f"{number}.jpg").stat().st_size for number in range(3))
    assert (folder / "data" / "train.parquet").stat().st_size < 1.5 * of_images + 20_000


def test_the_manifest_says_what_is_there_and_how_far_it_can_be_trusted(tmp_path):
    folder = tmp_path / "set"
    write_dataset(iter(pairs()), folder, source={"model": "m"}, split_rule={"seed": 1})
    manifest = read_json(folder / MANIFEST_FILE)
    assert manifest["agreement_with_listing"] == {
        "agrees": 5,
        "disagrees": 5,
        "unknown": 5,
        "disagreeing_share": 0.5,
    }
    told = manifest["second_opinions"]
    assert (told["asked"], told["agrees"], told["rate"]) == (5, 5, 1.0)
    assert told["ci95"][0] == pytest.approx(0.566, abs=1e-3)
    for name, digest in manifest["split_files_sha256"].items():
        assert file_digest(folder / name) == digest
    assert "path: data/test.parquet" in (folder / CARD_FILE).read_text()


def test_a_split_without_rows_and_pairs_without_splits_are_no_trouble(tmp_path):
    folder = tmp_path / "set"
    write_dataset(pairs(3), folder, source={}, split_rule={})
    _, splits = loaded(folder, tmp_path / "cache")
    assert list(splits) == ["train"]
    write_dataset(
        [replace(pair, split=None) for pair in pairs(2)], folder, source={}, split_rule={}
    )
    assert len(read_pairs(folder)) == 6
    assert not list((folder / "data").iterdir())


def test_what_breaks_off_leaves_the_old_folder_and_nothing_else(tmp_path):
    folder = tmp_path / "set"
    write_dataset(pairs(), folder, source={}, split_rule={})
    (folder / "notes.txt").write_text("mine")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    def broken() -> Iterator[QAPair]:
        yield from pairs()[:4]
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="disk"):
        write_dataset(broken(), folder, source={}, split_rule={})
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["set"]
    write_dataset(pairs(3), folder, source={}, split_rule={})
    assert len(read_pairs(folder)) == 9
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert names == {"notes.txt", QA_FILE, MANIFEST_FILE, CARD_FILE, "data/train.parquet"}
    assert json.loads((folder / MANIFEST_FILE).read_text())["pairs"] == 9
