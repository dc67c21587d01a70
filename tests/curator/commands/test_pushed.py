"""Data sets go to a hub as folders, with their card, and with pictures that are within."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from curator.commands.dataset import dataset
from curator.commands.pairs import export
from curator.ledger.repair.mending import count_pairs
from shared.corpus import read_pairs, write_pairs
from shared.errors import InputError
from tests.curator.ledger.ledgers import fresh_ledger
from tests.fakes.hub_that_takes import TOKEN, hub_in_use
from tests.pictures import draw_gallery

huggingface_hub = pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed")
NAME = "shop/lamps"
WHOLE = {
    "README.md",
    "manifest.json",
    "qa.parquet",
    *(f"data/{s}.parquet" for s in ("train", "test")),
}


@pytest.fixture
def hub(monkeypatch, tmp_path_factory):
    with hub_in_use(monkeypatch, tmp_path_factory.mktemp("cache")) as server:
        yield server


@pytest.fixture
def pairs(tmp_path):
    rows = draw_gallery(tmp_path / "images", 6, ("train", "train", "test"))
    write_pairs(rows, tmp_path / "pairs.csv")
    return rows


def test_a_data_set_arrives_with_its_pictures_and_is_read_again(hub, pairs, tmp_path, capsys):
    words = {"data": str(tmp_path / "pairs.csv"), "images": str(tmp_path / "images")}
    dataset(**words, out=tmp_path / "set", embed_images=True, license_name="cc-by-4.0", push=NAME)
    files = hub.repositories["dataset", NAME].files
    assert set(files) - {".gitattributes"} == WHOLE
    again = tmp_path / "again"
    for name, content in files.items():
        (again / name).parent.mkdir(parents=True, exist_ok=True)
        (again / name).write_bytes(content)
    assert read_pairs(again) == read_pairs(tmp_path / "set")
    card = huggingface_hub.DatasetCard.load(again / "README.md")
    assert card.data.license == "cc-by-4.0"
    assert f'load_dataset("{NAME}")' in card.text
    assert f"evaluator check --data hf://datasets/{NAME}" in card.text
    assert "THIS_FOLDER" not in card.text
    told = capsys.readouterr().out
    assert "licence: cc-by-4.0" in told
    assert "pictures" not in told.partition("left out")[2]
    # Without pictures the card says so, what an earlier push had and this has not goes.
    notes = tmp_path / "set" / "notes.txt"
    notes.write_text("mine")
    write_pairs([pair for pair in pairs if pair.split == "train"], tmp_path / "pairs.csv")
    dataset(**words, out=tmp_path / "set", push=NAME)
    assert "data/test.parquet" not in hub.repositories["dataset", NAME].files
    told = capsys.readouterr().out
    assert "left out: 4 pictures, which the rows name by file" in told
    assert "left out: notes.txt (not of the data set)" in told
    assert "licence: none is named" in told


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ({"push": "lamps"}, "write OWNER/NAME"),
        ({"private": True}, "go with --push"),
        ({"push": NAME, "out": "pairs.jsonl"}, "--push is for a folder"),
    ],
)
def test_what_cannot_be_pushed_is_told_before_anything_is_written(
    hub, pairs, tmp_path, words, line
):
    out = tmp_path / words.pop("out", "set")
    with pytest.raises(InputError, match=line):
        dataset(data=str(tmp_path / "pairs.csv"), images=str(tmp_path / "images"), out=out, **words)
    assert not out.exists()
    assert hub.asked == []


def test_pictures_named_by_their_place_on_this_machine_are_not_pushed(hub, pairs, tmp_path):
    whole = str(tmp_path / "images" / pairs[0].filename)
    lines = (tmp_path / "pairs.csv").read_text().replace(pairs[0].filename, whole)
    (tmp_path / "pairs.csv").write_text(lines)
    with pytest.raises(InputError, match="by a path of this machine"):
        dataset(data=str(tmp_path / "pairs.csv"), out=tmp_path / "set", push=NAME)
    assert hub.asked == []


def test_an_export_is_pushed_and_a_dry_run_asks_nobody(hub, tmp_path, capsys, monkeypatch):
    draw_gallery(tmp_path / "images", 4, ("train",))
    names = sorted(path.name for path in (tmp_path / "images").iterdir())
    ledger = fresh_ledger(tmp_path / "l.db")
    with closing(sqlite3.connect(ledger)) as database:
        database.execute(
            "INSERT INTO sources VALUES ('c', 'f', ?, 0, '[]')", (str(tmp_path / "images"),)
        )
        database.execute(
            "INSERT INTO campaigns (id, annotator, models, prompt_version, questions, created_at) "
            "VALUES (1, 'gemini', '[{\"name\":\"gemini-x\"}]', '1-abc', 1, 0)"
        )
        for n, name in enumerate(names, start=1):
            database.execute(
                "INSERT INTO items VALUES (?, ?, ?, ?, '{}', '')", (n, f"L{n}", f"i{n}", name)
            )
            database.execute(
                "INSERT INTO work (campaign_id, item_id, state, attempts, reason, finished_at, "
                "rank) VALUES (1, ?, 1, 1, '', 1.0, ?)",
                (n, n),
            )
            database.execute(
                "INSERT INTO pairs (campaign_id, item_id, position, question, answer, difficulty) "
                "VALUES (1, ?, 1, 'What is it?', 'a lamp', 'easy')",
                (n,),
            )
        count_pairs(database)
        database.commit()
    monkeypatch.setenv("GEMINI_API_KEY", "an-entirely-secret-key")
    export(ledger=ledger, out=tmp_path / "set", push=NAME, dry_run=True)
    assert hub.asked == []
    assert f"would go to {hub.url}/datasets/{NAME}" in capsys.readouterr().out
    export(ledger=ledger, out=tmp_path / "set", push=NAME, private=True)
    repository = hub.repositories["dataset", NAME]
    assert repository.private
    everything = b"".join(repository.files.values())
    for secret in (TOKEN, "an-entirely-secret-key", str(tmp_path)):
        assert secret.encode() not in everything
    told = capsys.readouterr().out
    assert f"pushed: {hub.url}/datasets/{NAME}" in told
    assert TOKEN not in told
