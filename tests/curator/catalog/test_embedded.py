"""Tables in Parquet and Arrow, with pictures within; folders that are one table."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from curator.catalog import Skipped, open_catalog
from shared.errors import InputError
from tests.curator.campaigns import ended, start_process

PICTURE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def content(colour: str, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (40, 30), colour).save(file, kind)
    return file.getvalue()


PICTURES = [content("red"), content("green", "JPEG"), content("blue")]


def write_shard(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(
        pa.table(
            {
                "sku": [sku for sku, *_ in rows],
                "title": [title for _, title, _ in rows],
                "image": pa.array([{"bytes": b, "path": "x.png"} for *_, b in rows], PICTURE),
            }
        ),
        path,
    )


def read(path, images=None):
    catalog = open_catalog(path, images)
    listings = list(catalog.listings(Skipped()))
    contents = [(catalog.images_dir / one.image.path).read_bytes() for one in listings]
    return [(one.listing_id, dict(one.metadata)) for one in listings], contents


def test_pictures_within_parquet_are_used_byte_for_byte(tmp_path):
    file = tmp_path / "goods.parquet"
    write_shard(file, [("A", "bowl", PICTURES[0]), ("B", "jug", PICTURES[1])])
    listings, contents = read(file)
    assert listings == [("A", {"title": "bowl"}), ("B", {"title": "jug"})]
    assert contents == PICTURES[:2]
    names = sorted(path.suffix for path in (tmp_path / "goods_images").iterdir())
    assert names == [".jpg", ".png"]
    assert read(file, tmp_path) == (listings, contents)


def test_shards_in_a_folder_are_one_table_and_its_pictures_lie_beside_it(tmp_path):
    folder = tmp_path / "goods"
    rows = [(sku, f"thing {sku}", picture) for sku, picture in zip("ABC", PICTURES, strict=True)]
    write_shard(folder / "data" / "train-00000-of-00002.parquet", rows[:2])
    write_shard(folder / "data" / "train-00001-of-00002.parquet", rows[2:])
    (folder / "README.md").write_text("---\n")
    listings, contents = read(folder)
    assert [listing for listing, _ in listings] == ["A", "B", "C"]
    assert contents == PICTURES
    assert {path.name for path in tmp_path.iterdir()} == {"goods", "goods_images"}


def test_a_shard_that_was_a_catalogue_by_itself_does_not_make_its_folder_one_of_pictures(tmp_path):
    shard = tmp_path / "goods" / "data" / "train-00000-of-00001.parquet"
    write_shard(shard, [("A", "bowl", PICTURES[0])])
    assert read(shard)[0] == read(tmp_path / "goods")[0] == [("A", {"title": "bowl"})]


def test_what_datasets_saved_is_read_with_all_its_splits(tmp_path):
    rows = [{"bytes": picture, "path": None} for picture in PICTURES[:2]]
    split = datasets.Dataset.from_dict({"id": ["1", "2"], "title": ["a", "b"], "image": rows})
    split = split.cast_column("image", datasets.Image())
    split.save_to_disk(str(tmp_path / "one"))
    assert read(tmp_path / "one")[1] == PICTURES[:2]
    datasets.DatasetDict({"train": split, "test": split}).save_to_disk(str(tmp_path / "both"))
    listings, contents = read(tmp_path / "both")
    assert [listing for listing, _ in listings] == ["1", "2", "1", "2"]
    assert contents == [*PICTURES[:2], *PICTURES[:2]]


def test_classes_are_said_by_their_names(tmp_path):
    rows = {"image": [{"bytes": p, "path": None} for p in PICTURES], "label": [1, 0, None]}
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=["mug", "lamp"])}
    )
    split = datasets.Dataset.from_dict(rows, features=features)
    split.save_to_disk(str(tmp_path / "saved"))
    split.to_parquet(str(tmp_path / "goods.parquet"))
    for path in (tmp_path / "saved", tmp_path / "goods.parquet"):
        listings, _ = read(path)
        assert [texts for _, texts in listings] == [{"label": "lamp"}, {"label": "mug"}, {}]


def test_more_shards_than_a_process_can_have_open_are_read(tmp_path):
    for number in range(300):
        write_shard(tmp_path / f"goods/{number:03}.parquet", [(f"S{number}", "x", PICTURES[0])])
    script = (
        "import sys; from pathlib import Path; from curator.catalog import Skipped, open_catalog;"
        "print(sum(1 for _ in open_catalog(Path(sys.argv[1])).listings(Skipped())))"
    )
    ran = subprocess.run(
        ["sh", "-c", f'ulimit -n 100; exec "{sys.executable}" -c "$1" "$2"', "sh", script,
         str(tmp_path / "goods")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.stdout.split()[-1] == "300", ran.stderr


def test_removed_pictures_make_a_table_look_changed_so_that_they_come_back(tmp_path):
    file = tmp_path / "goods.parquet"
    write_shard(file, [("A", "bowl", PICTURES[0]), ("B", "jug", PICTURES[1])])
    read(file)
    whole = open_catalog(file).fingerprint()
    assert open_catalog(file).fingerprint() == whole
    catalog = open_catalog(file)
    next((tmp_path / "goods_images").iterdir()).unlink()
    assert catalog.fingerprint() != whole


def test_parquet_that_names_files_is_a_table_like_any_other(tmp_path):
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        (tmp_path / name).touch()
    rows = {"sku": ["A", "B"], "photos": [["a.jpg", "b.jpg"], ["c.jpg"]], "price": [1.5, 2.5]}
    pq.write_table(pa.table({**rows, "title": ["bowl", None]}), tmp_path / "t.parquet")
    listings = list(open_catalog(tmp_path / "t.parquet").listings(Skipped()))
    assert [(one.listing_id, one.image.path) for one in listings] == [
        ("A", "a.jpg"),
        ("A", "b.jpg"),
        ("B", "c.jpg"),
    ]
    assert [dict(one.metadata) for one in listings] == [{"title": "bowl"}] * 2 + [{}]


@pytest.mark.parametrize("place", ["", "train/"])
def test_a_folder_of_pictures_with_metadata_has_its_texts(tmp_path, place):
    folder = tmp_path / place
    folder.mkdir(exist_ok=True)
    for name in ("1.png", "2.png"):
        (folder / name).write_bytes(PICTURES[0])
    lines = [{"file_name": f"{n}.png", "text": f"thing {n}"} for n in (1, 2)]
    (folder / "metadata.jsonl").write_text("\n".join(map(json.dumps, lines)))
    listings = list(open_catalog(tmp_path).listings(Skipped()))
    assert [(one.image.path, dict(one.metadata)) for one in listings] == [
        (f"{place}1.png", {"text": "thing 1"}),
        (f"{place}2.png", {"text": "thing 2"}),
    ]


def test_values_of_every_type_are_said_in_words_or_left_out(tmp_path):
    (tmp_path / "a.jpg").touch()
    table = pa.table(
        {
            "id": pa.array([1], pa.int64()),
            "image": pa.array(["a.jpg"]).dictionary_encode(),
            "specs": pa.array([[("colour", "red")]], pa.map_(pa.string(), pa.string())),
            "tags": pa.array([["oak", "round"]], pa.large_list(pa.string())),
            "vector": pa.array([[0.5] * 8]),
            "blob": pa.array([b"\0\1"]),
            "made": pa.array([1_700_000_000], pa.timestamp("s")),
        }
    )
    pq.write_table(table, tmp_path / "t.parquet")
    (listing,) = open_catalog(tmp_path / "t.parquet").listings(Skipped())
    assert dict(listing.metadata) == {
        "specs": "colour: red",
        "tags": "oak; round",
        "made": "2023-11-14 22:13:20",
    }


def test_a_place_that_pictures_cannot_go_to_is_named_with_the_way_out(tmp_path):
    write_shard(tmp_path / "goods.parquet", [("A", "bowl", PICTURES[0])])
    (tmp_path / "goods_images").write_text("a file")
    with pytest.raises(InputError, match="--images DIR where pictures within go"):
        open_catalog(tmp_path / "goods.parquet")


def test_metadata_that_names_no_files_leaves_a_folder_of_pictures_as_it_is(tmp_path):
    (tmp_path / "a.png").write_bytes(PICTURES[0])
    (tmp_path / "metadata.csv").write_text("by,year\nme,2026\n")
    (listing,) = open_catalog(tmp_path).listings(Skipped())
    assert listing.image.path == "a.png"


def test_tables_that_are_not_one_and_files_cut_short_are_refused_by_name(tmp_path):
    folder = tmp_path / "goods"
    write_shard(folder / "a.parquet", [("A", "bowl", PICTURES[0])])
    pq.write_table(pa.table({"sku": ["A"], "answer": ["x"]}), folder / "b.parquet")
    with pytest.raises(InputError, match=r"b\.parquet: has other columns than .*a\.parquet"):
        open_catalog(folder)
    shutil.copy(folder / "a.parquet", tmp_path / "cut.parquet")
    (tmp_path / "cut.parquet").write_bytes((tmp_path / "cut.parquet").read_bytes()[:-9])
    with pytest.raises(InputError, match=r"cut\.parquet: cannot be read"):
        open_catalog(tmp_path / "cut.parquet")


async def test_what_is_logged_of_a_table_does_not_stand_among_the_json_of_a_plan(tmp_path):
    write_shard(tmp_path / "goods.parquet", [("A", "bowl", PICTURES[0])])
    (tmp_path / "keys.txt").write_text("AIzaSyKeyNumberOne001")
    words = ("--catalog", str(tmp_path / "goods.parquet"), "--keys", str(tmp_path / "keys.txt"))
    planned = await ended(await start_process("plan", *words, "--json"))
    assert json.loads(planned.out)["images"] == 1
    assert "pictures_within_written" in planned.err
