"""ABO downloads in the states that they are really in: half unpacked, moved, in part."""

from __future__ import annotations

import gzip
import shutil

import pytest

from curator.catalog import Reason, Skipped, open_catalog
from shared.errors import InputError
from tests.curator.pictures import write_abo


@pytest.fixture
def abo(tmp_path):
    return write_abo(tmp_path / "abo", 6)


def count(path, images=None) -> int:
    return len(list(open_catalog(path, images).listings(Skipped())))


def gunzip(path) -> None:
    path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
    path.unlink()


def kaggle(abo):
    """Everything in one folder, as some mirrors have it."""
    flat = abo.parent / "flat"
    flat.mkdir()
    shutil.move(abo / "listings/metadata/listings_0.json.gz", flat)
    shutil.move(abo / "images/metadata/images.csv.gz", flat)
    shutil.move(abo / "images/small", flat / "small")
    return flat


def archives_apart(abo):
    """Each archive unpacked into a folder called after it."""
    for part, folder in (("listings", "abo-listings"), ("images", "abo-images-small")):
        (abo / folder).mkdir()
        shutil.move(abo / part, abo / folder / part)
    return abo


def archives_apart_seen_from_one(abo):
    return archives_apart(abo) / "abo-listings"


def unpacked_files(abo):
    gunzip(abo / "listings/metadata/listings_0.json.gz")
    gunzip(abo / "images/metadata/images.csv.gz")
    return abo


def listings_alone_packed(abo):
    gunzip(abo / "images/metadata/images.csv.gz")
    return abo


def the_folder_of_listings(abo):
    return abo / "listings"


def a_file_of_listings(abo):
    return abo / "listings/metadata/listings_0.json.gz"


def original_sizes(abo):
    (abo / "images/small").rename(abo / "images/original")
    return abo


STATES = (
    *(kaggle, archives_apart, archives_apart_seen_from_one, unpacked_files),
    *(listings_alone_packed, the_folder_of_listings, a_file_of_listings, original_sizes),
)


@pytest.mark.parametrize("state", STATES)
def test_a_download_is_found_however_it_was_unpacked(abo, state):
    assert count(state(abo)) == 6


def test_an_images_folder_may_be_any_around_the_pictures(abo):
    shutil.move(abo / "images/small", abo.parent / "elsewhere" / "small")
    assert count(abo, abo.parent / "elsewhere" / "small") == 6
    assert count(abo, abo.parent / "elsewhere") == 6


def test_pictures_that_were_not_unpacked_yet_are_counted(abo):
    next((abo / "images/small").rglob("*.jpg")).unlink()
    skipped = Skipped()
    assert len(list(open_catalog(abo).listings(skipped))) == 5
    assert skipped.counts == {Reason.MISSING: 1}


@pytest.mark.parametrize(
    ("gone", "archive", "part"),
    [
        ("listings", "abo-listings.tar", r"abo-listings\.tar is not unpacked; .*tar -xf"),
        ("images", "abo-images-small.tar", r"lacks images/metadata.*abo-images-small\.tar is not"),
        ("images", "", r"lacks images/metadata/images\.csv\.gz.*archive abo-images-small\.tar"),
        ("images/small", "abo-images-small.tar", r"lacks the pictures.*not unpacked.*--images DIR"),
        ("images/metadata", "", r"which maps image ids to files"),
    ],
)
def test_a_part_that_lacks_is_named_with_the_archive_that_has_it(abo, gone, archive, part):
    shutil.rmtree(abo / gone)
    if archive:
        (abo / archive).touch()
    with pytest.raises(InputError, match=part) as error:
        open_catalog(abo)
    assert "\n" not in str(error.value)


def test_without_listings_and_their_archive_the_pictures_alone_are_a_catalogue(abo):
    shutil.rmtree(abo / "listings")
    assert count(abo) == 6
