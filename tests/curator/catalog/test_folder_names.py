"""What the names of folders say: SKUs are products, other names categories."""

from __future__ import annotations

import pytest

from curator.catalog import Reason, Skipped, open_catalog
from curator.catalog.folder_names import place_of


def test_folders_called_as_skus_and_categories_keep_them(tmp_path):
    for name in (
        "Chairs/CH-1001/front.jpg",
        "Chairs/CH-1001/back.jpg",
        "Chairs/Garden_chairs/8001234/1.jpg",
        "Tables/round.jpg",
        "loose.jpg",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    listings = list(open_catalog(tmp_path).listings(Skipped()))
    assert [(one.listing_id, one.image.image_id, dict(one.metadata)) for one in listings] == [
        ("loose", "loose", {}),
        ("CH-1001", "Chairs/CH-1001/back", {"category": "Chairs"}),
        ("CH-1001", "Chairs/CH-1001/front", {"category": "Chairs"}),
        ("8001234", "Chairs/Garden_chairs/8001234/1", {"category": "Chairs > Garden chairs"}),
        ("Tables/round", "Tables/round", {"category": "Tables"}),
    ]


@pytest.mark.parametrize(
    ("folders", "stems", "product", "category"),
    [
        (["Red mug"], ["front", "back"], "Red mug", ""),
        (["Mugs", "Red mug"], ["Red mug 1", "Red mug 2"], "Mugs/Red mug", "Mugs"),
        (["Mugs"], ["1", "2", "3"], "", "Mugs"),
        (["shoes", "AB12-9"], ["x", "y"], "AB12-9", "shoes"),
        (["Women_2"], ["x", "y"], "", "Women 2"),
        (["Summer-2024", "nike-air-270"], ["x", "y"], "nike-air-270", "Summer-2024"),
        (["2024_Spring"], ["x"], "", "2024 Spring"),
        (["TB-1"], ["1"], "TB-1", ""),
        (["images", "small", "0a"], ["0abc1"], "", ""),
        (["train2017"], ["1"], "", ""),
        (["2026-05-01"], ["IMG_0001"], "", ""),
        (["export 3", "Lamps"], ["tall", "low"], "", "Lamps"),
        (["SKU100"], [f"photo{n}" for n in range(500)], "", "SKU100"),
    ],
)
def test_names_that_say_nothing_are_neither(folders, stems, product, category):
    place = place_of(folders, stems)
    assert (place.product, place.metadata.get("category", "")) == (product, category)


def test_what_lies_in_real_folders_is_counted_by_what_it_is(tmp_path):
    (tmp_path / "a" / "__MACOSX").mkdir(parents=True)
    for name in (".DS_Store", "Thumbs.db", "._a.jpg", "__MACOSX/a.jpg", "film.mp4", "spec.pdf"):
        (tmp_path / "a" / name).write_bytes(b"x")
    for name in ("all.zip", "list.csv", "raw.cr2", "a.jpg"):
        (tmp_path / "a" / name).write_bytes(b"x")
    skipped = Skipped()
    assert len(list(open_catalog(tmp_path).listings(skipped))) == 1
    assert skipped.counts == {
        Reason.HIDDEN: 4,
        Reason.NOT_A_PICTURE: 3,
        Reason.TABLE: 1,
        Reason.UNREADABLE_FORMAT: 1,
    }
