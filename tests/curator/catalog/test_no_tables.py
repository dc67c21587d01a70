"""Files that are no tables: what each is said to be, and the way out."""

from __future__ import annotations

import pytest

from curator.catalog import Reason, local_catalogue, open_catalog
from shared.errors import InputError
from tests.curator.catalog.tables import places


@pytest.mark.parametrize(
    ("file", "part"),
    [
        ("goods.zip", "unpack it"),
        ("goods.xlsx", "save it as CSV"),
        ("goods.parquet", "cannot be read"),
        ("goods.arrow", "cannot be read"),
        ("feed.xml", "is an Excel sheet or a zip archive"),
        ("a.jpg", "give the folder"),
        ("t.csv", "is an Excel sheet or a zip archive"),
    ],
)
def test_a_file_that_is_no_table_is_refused_with_what_to_do_about_it(tmp_path, file, part):
    (tmp_path / file).write_bytes(b"PK\3\4")
    with pytest.raises(InputError, match=part):
        open_catalog(tmp_path / file)


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"<!DOCTYPE HTML><html>Sign in</html>", "is a web page"),
        (b"\n<html>", "is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
        (b"SQLite format 3\0", "SQLite"),
        (b"\xd0\xcf\x11\xe0\0\0", "Excel"),
    ],
)
@pytest.mark.parametrize("name", ["goods.csv", "goods.json"])
def test_a_download_that_went_wrong_is_told_by_how_it_begins(tmp_path, name, content, part):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=part):
        open_catalog(tmp_path / name)


@pytest.mark.parametrize("address", ["https://shop.example/feed.xml", "s3://shop/photos"])
def test_an_address_that_is_not_the_hubs_is_no_catalogue(address):
    with pytest.raises(InputError, match="is an address; download what is there"):
        local_catalogue(address, None)


def test_pictures_as_data_within_a_text_are_counted_as_such(shop):
    listings, skipped = shop('id,image\n1,"data:image/png;base64,iVBORw0="\n2,a.jpg\n', "a.jpg")
    assert places(listings) == [("2", "a.jpg")]
    assert skipped.counts == {Reason.AS_TEXT: 1}
