from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest

from curator.catalog import Reason, Skipped, nothing_usable, open_catalog
from shared.errors import InputError
from shared.records import ImageRef, Listing

ABO_SAMPLE = Path(__file__).parents[4] / "shared" / "abo"


def read(path: Path, images: Path | None = None) -> tuple[list[Listing], dict[Reason, int]]:
    skipped = Skipped()
    return list(open_catalog(path, images).listings(skipped)), dict(skipped.counts)


def with_files(folder: Path, *names: str) -> Path:
    """Make files of these names; nothing looks into them here."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def write_abo(folder: Path, products: list[dict], index: str) -> Path:
    with_files(folder / "images" / "small", "0a/A.jpg", "0b/B.jpg")
    for path, text in (
        (folder / "images" / "metadata" / "images.csv.gz", index),
        (
            folder / "listings" / "metadata" / "listings_0.json.gz",
            "\n".join(map(json.dumps, products)),
        ),
    ):
        path.parent.mkdir(parents=True)
        path.write_bytes(gzip.compress(text.encode()))
    return folder


INDEX = "image_id,height,width,path\nA,9,9,0a/A.jpg\nB,9,9,0b/B.jpg\n"


def test_abo_english_comes_first_fields_may_be_missing_and_all_images_count(tmp_path):
    product = {
        "item_id": "X1",
        "item_name": [
            {"language_tag": "de_DE", "value": "Schuh"},
            {"language_tag": "en_GB", "value": "shoe"},
            {"language_tag": "en_US", "value": "shoe"},
            {"language_tag": "en_US", "value": " red\n shoe "},
        ],
        "color": [{"language_tag": "fr_FR", "value": "rouge"}, {"value": None}, "odd"],
        "product_type": [{"value": "SHOES"}],
        "material": None,
        "main_image_id": "A",
        "other_image_id": ["B", "A", "missing"],
    }
    listings, skipped = read(write_abo(tmp_path / "abo", [product, {"item_id": "X2"}], INDEX))
    metadata = {"item_name": "shoe; red shoe", "product_type": "SHOES", "color": "rouge"}
    assert listings == [
        Listing("X1", ImageRef("A", "0a/A.jpg"), metadata),
        Listing("X1", ImageRef("B", "0b/B.jpg"), metadata),
    ]
    assert skipped == {Reason.UNKNOWN_IMAGE: 1, Reason.WITHOUT_IMAGE: 1}


def test_abo_lines_that_are_not_json_are_named(tmp_path):
    folder = write_abo(tmp_path / "abo", [{"item_id": "X"}], INDEX)
    file = folder / "listings" / "metadata" / "listings_0.json.gz"
    file.write_bytes(gzip.compress(b'{"item_id": "X"}\n{"cut'))
    with pytest.raises(InputError, match=r"listings_0\.json\.gz: line 2"):
        read(folder)
    file.write_bytes(gzip.compress(b"{}")[:-4])
    with pytest.raises(InputError, match=r"listings_0\.json\.gz: cannot be read"):
        read(folder)


@pytest.mark.parametrize("column", ["filename", "Image_Name", "path"])
def test_csv_rows_become_listings_with_the_other_columns_as_metadata(tmp_path, column):
    with_files(tmp_path, "a.jpg", "sub/b.jpg")
    (tmp_path / "goods.csv").write_text(
        f"item_id,{column},colour\n1,a.jpg,red\n2,,blue\n,{tmp_path / 'sub/b.jpg'},\n4,../up.jpg,\n"
    )
    listings, skipped = read(tmp_path / "goods.csv")
    assert listings == [
        Listing("1", ImageRef("a.jpg", "a.jpg"), {"colour": "red"}),
        Listing("sub/b.jpg", ImageRef("sub/b.jpg", "sub/b.jpg"), {}),
    ]
    assert skipped == {Reason.WITHOUT_IMAGE: 1, Reason.OUTSIDE: 1}


def test_csv_without_an_image_column_lists_what_it_has(tmp_path):
    (tmp_path / "goods.csv").write_text("name,colour\na,red\n")
    with pytest.raises(InputError, match=r"goods\.csv: no image column .*name, colour"):
        open_catalog(tmp_path / "goods.csv")


def test_a_folder_is_read_in_order_with_its_sub_folders(tmp_path):
    for name in ("b.PNG", "a.jpg", "notes.txt", "sub/c.webp"):
        (tmp_path / "pics" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "pics" / name).touch()
    listings, skipped = read(tmp_path / "pics")
    assert [one.image.path for one in listings] == ["a.jpg", "b.PNG", "sub/c.webp"]
    assert [one.listing_id for one in listings] == ["a", "b", "sub/c"]
    assert skipped == {Reason.NOT_A_PICTURE: 1}


def test_what_is_missing_is_named(tmp_path, abo):
    with pytest.raises(InputError, match="no such catalogue"):
        open_catalog(tmp_path / "nowhere")
    with pytest.raises(InputError, match="no such images folder"):
        open_catalog(abo, tmp_path / "nowhere")
    (abo / "images" / "metadata" / "images.csv.gz").unlink()
    with pytest.raises(InputError, match=r"images\.csv\.gz"):
        open_catalog(abo)


def test_the_fingerprint_changes_with_the_files(abo):
    catalog = open_catalog(abo)
    before = catalog.fingerprint()
    assert before == open_catalog(abo).fingerprint()
    file = abo / "listings" / "metadata" / "listings_0.json.gz"
    file.write_bytes(gzip.compress(gzip.decompress(file.read_bytes()) + b'\n{"item_id": "new"}'))
    assert catalog.fingerprint() != before


@pytest.mark.abo
@pytest.mark.skipif(not ABO_SAMPLE.is_dir(), reason="needs the ABO sample")
def test_the_whole_sample_is_read():
    listings, skipped = read(ABO_SAMPLE)
    assert len(listings) == 7_946
    assert not skipped
    assert all(
        (ABO_SAMPLE / "images" / "small" / one.image.path).is_file() for one in listings[:50]
    )


def test_pictures_and_folders_whose_names_are_not_unicode_are_counted(tmp_path):
    folder = with_files(tmp_path / "pics", "a.jpg", "é.jpg")
    try:
        with_files(folder, os.fsdecode(b"b\xff.jpg"), os.fsdecode(b"c\xff/d.jpg"))
    except OSError:
        pytest.skip("names of files are Unicode here")
    skipped = Skipped()
    listings = list(open_catalog(folder, None).listings(skipped))
    assert [one.image.path for one in listings] == ["a.jpg", "é.jpg"]
    assert skipped.counts == {Reason.NOT_UNICODE: 2}
    assert "b\ufffd.jpg" in str(skipped)


def test_a_link_that_leads_to_itself_hides_no_table_and_no_download(tmp_path):
    described = with_files(tmp_path / "described", "sub/a.jpg")
    (described / "sub" / "metadata.csv").write_text("file_name,title\na.jpg,red shoe\n")
    download = write_abo(tmp_path / "abo", [{"item_id": "X1", "main_image_id": "A"}], INDEX)
    for folder in (described, download):
        (folder / "loop").symlink_to("loop")
    assert [one.metadata for one in read(described)[0]] == [{"title": "red shoe"}]
    assert [one.listing_id for one in read(download)[0]] == ["X1"]


def test_half_a_character_in_a_catalogue_of_json_can_be_written(tmp_path):
    with_files(tmp_path, "a.jpg", "b.jpg")
    (tmp_path / "a.json").write_text(
        r'[{"id": "1\ud800", "filename": "a.jpg", "title": "shoe \ud83d"},'
        r' {"id": "2", "filename": "b\ud800.jpg"}, {"id": "3", "filename": "b.jpg"}]'
    )
    listings, skipped = read(tmp_path / "a.json", tmp_path)
    assert [(one.listing_id, one.image.path) for one in listings] == [
        ("1\ufffd", "a.jpg"),
        ("3", "b.jpg"),
    ]
    assert listings[0].metadata == {"title": "shoe \ufffd"}
    assert skipped == {Reason.MISSING: 1}


def test_hidden_files_copies_and_other_formats_are_counted_and_not_asked_about(tmp_path):
    kept = ("a.JFIF", "b.tif", "c.TIFF", "d.avif", "e.webp", "f.gif", "g.bmp", "h.jpe")
    hidden = (".ipynb_checkpoints/a-checkpoint.jpg", "._a.jpg", "__MACOSX/a.jpg", ".DS_Store")
    hidden += ("Thumbs.db", "sub/@eaDir/a.jpg", ".git/x.png")
    unread = ("i.heic", "j.SVG")
    with_files(tmp_path / "pics", *kept, *hidden, *unread, "notes.txt", "noname")
    listings, skipped = read(tmp_path / "pics")
    assert [one.image.path for one in listings] == list(kept)
    assert skipped == {
        Reason.HIDDEN: len(hidden),
        Reason.UNREADABLE_FORMAT: len(unread),
        Reason.NOT_A_PICTURE: 2,
    }


def test_linked_folders_are_followed_once_and_never_in_circles(tmp_path):
    with_files(tmp_path, "pics/z/a.jpg", "elsewhere/deep/b.jpg", "c.jpg")
    pics = tmp_path / "pics"
    (pics / "again").symlink_to(pics / "z")
    (pics / "circle").symlink_to(pics)
    (pics / "z" / "up").symlink_to(pics)
    (pics / "linked").symlink_to(tmp_path / "elsewhere")
    (pics / "linked-too").symlink_to(tmp_path / "elsewhere")
    (pics / "one.jpg").symlink_to(tmp_path / "c.jpg")
    (pics / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    (pics / "itself.jpg").symlink_to(pics / "itself.jpg")
    listings, skipped = read(pics)
    assert [one.image.path for one in listings] == ["one.jpg", "z/a.jpg", "linked/deep/b.jpg"]
    assert skipped == {Reason.BROKEN_LINK: 2}


def test_a_folder_of_other_things_says_what_it_holds(tmp_path):
    with_files(tmp_path / "pics", "a.heic", "b.heic", "styles.csv")
    skipped = Skipped()
    catalog = open_catalog(tmp_path / "pics")
    assert list(catalog.listings(skipped)) == []
    error = str(nothing_usable(catalog, skipped))
    assert "2 a format that is not read here" in error
    assert "a.heic" in error
    assert "JPEG" in error


def unpack(file: Path, *, keep: bool = False) -> None:
    file.with_suffix("").write_bytes(gzip.decompress(file.read_bytes()))
    if not keep:
        file.unlink()


PRODUCT = {"item_id": "X1", "main_image_id": "A", "other_image_id": ["B"]}


@pytest.mark.parametrize("state", ["index", "listings", "both", "both, and packed", "cut"])
def test_an_abo_download_is_read_however_far_it_is_unpacked(tmp_path, state):
    folder = write_abo(tmp_path / "abo", [PRODUCT], INDEX)
    index = folder / "images" / "metadata" / "images.csv.gz"
    listings = folder / "listings" / "metadata" / "listings_0.json.gz"
    if state != "listings":
        unpack(index, keep=state == "both, and packed")
    if state != "index":
        unpack(listings, keep=state in {"both, and packed", "cut"})
    if state == "cut":
        # As an unpacking that was stopped leaves it.
        listings.with_suffix("").write_text('{"item_id": "X')
    found, skipped = read(folder)
    assert [(one.listing_id, one.image.path) for one in found] == [
        ("X1", "0a/A.jpg"),
        ("X1", "0b/B.jpg"),
    ]
    assert not skipped


def test_abo_archives_that_were_unpacked_side_by_side_are_one_download(tmp_path):
    folder = write_abo(tmp_path / "abo", [PRODUCT], INDEX)
    for archive, content in (("abo-listings", "listings"), ("abo-images-small", "images")):
        (tmp_path / "all" / archive).mkdir(parents=True)
        (folder / content).rename(tmp_path / "all" / archive / content)
    found, _ = read(tmp_path / "all")
    assert [one.image.path for one in found] == ["0a/A.jpg", "0b/B.jpg"]


def test_abo_images_that_are_not_there_are_left_out_and_counted(tmp_path):
    folder = write_abo(tmp_path / "abo", [PRODUCT, {"item_id": 7, "main_image_id": 9}], INDEX)
    (folder / "images" / "small" / "0b" / "B.jpg").unlink()
    found, skipped = read(folder)
    assert [one.image.path for one in found] == ["0a/A.jpg"]
    assert skipped == {Reason.MISSING: 1, Reason.WITHOUT_IMAGE: 1}
