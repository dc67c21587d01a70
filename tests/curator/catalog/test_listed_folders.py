"""Pictures of one folder are found however many of them a catalogue names."""

from __future__ import annotations

import os

import pytest

from curator.catalog import Reason, Skipped, open_catalog

MANY = 600


@pytest.fixture
def shelf(tmp_path):
    """A table of a folder's pictures, and of some that are not there as others are."""
    folder = tmp_path / "img"
    folder.mkdir()
    names = [f"{number}.jpg" for number in range(MANY)]
    for name in names:
        (folder / name).touch()
    (folder / "linked.jpg").symlink_to("7.jpg")
    (folder / "nowhere.jpg").symlink_to("gone.jpg")
    (folder / "folder.jpg").mkdir()
    (folder / "LOUD.JPG").touch()
    odd = ["linked.jpg", "nowhere.jpg", "folder.jpg", "loud.jpg", "gone.jpg", "9.jpg"]
    lines = "\n".join(f"p{place},img/{name}" for place, name in enumerate([*names, *odd]))
    (tmp_path / "t.csv").write_text(f"id,image\n{lines}\n")
    return tmp_path


def test_links_are_followed_and_folders_are_no_pictures_also_among_many(shelf):
    skipped = Skipped()
    listings = list(open_catalog(shelf / "t.csv").listings(skipped))
    found = [listing.image.path.removeprefix("img/") for listing in listings]
    assert found[:MANY] == [f"{number}.jpg" for number in range(MANY)]
    # As the system itself spells it, which may not care for letters.
    assert [name.lower() for name in found[MANY:]] == ["linked.jpg", "loud.jpg", "9.jpg"]
    assert skipped.counts == {Reason.MISSING: 3}


def test_pictures_that_come_while_a_table_is_read_are_found(shelf):
    listings = open_catalog(shelf / "t.csv").listings(Skipped())
    for _ in range(MANY):
        next(listings)
    (shelf / "img" / "gone.jpg").touch()
    assert {"img/gone.jpg", "img/nowhere.jpg"} <= {listing.image.path for listing in listings}


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_a_line_within_a_files_name_is_no_name(shelf):
    (shelf / "img" / "x\ngone.jpg").touch()
    (shelf / "img" / "folder.jpg\nnowhere.jpg\n.jpg").touch()
    skipped = Skipped()
    assert len(list(open_catalog(shelf / "t.csv").listings(skipped))) == MANY + 3
    assert skipped.counts == {Reason.MISSING: 3}


def test_a_path_from_the_systems_root_is_not_taken_for_one_of_the_folder(shelf):
    (shelf / "plain.csv").write_text("image\n" + f"{shelf}/img/0.jpg\n" * (MANY - 1) + "/9.jpg\n")
    skipped = Skipped()
    found = [each.image.path for each in open_catalog(shelf / "plain.csv").listings(skipped)]
    assert found == ["img/0.jpg"] * (MANY - 1)
    assert sum(skipped.counts.values()) == 1
