"""Units are divided, never rows: products whole, and near-identical images together."""

import io
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from shared.corpus import read_pairs
from shared.dataset.splits import split_units
from shared.dataset.units import independent_unit, members, units_of
from shared.errors import InputError
from shared.images.fingerprints import looks_in
from shared.images.likeness import Look, is_near_identical
from shared.images.lookalikes import Lookalikes
from shared.records import Provenance, QAPair


def photograph(seed: int, side: int = 96) -> Image.Image:
    """Blotches of colour: as different from each other as photographs are."""
    noise = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    picture = Image.fromarray(noise).resize((side, side), Image.Resampling.BICUBIC)
    return picture.filter(ImageFilter.GaussianBlur(1))


@pytest.fixture(scope="module")
def gallery(tmp_path_factory):
    """Forty photographs; of every fourth also a re-encoded, a resized and a brightened copy."""
    folder = tmp_path_factory.mktemp("gallery")
    for seed in range(40):
        original = photograph(seed)
        original.save(folder / f"{seed:02}.png")
        if seed % 4 == 0:
            original.save(folder / f"{seed:02}-copy.jpg", quality=80)
            original.resize((90, 90)).save(folder / f"{seed:02}-small.png")
            original.point(lambda value: min(255, value + 2)).save(folder / f"{seed:02}-bright.png")
    return folder


def near_identical_groups(folder, names):
    bare = [QAPair(name, "what is it", "a shape", name) for name in names]
    return members(units_of(bare, looks_in(folder, names)))


def split_by_image(folder, names, **options):
    return split_units(units_of((), looks_in(folder, names)), **options)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def looks_like(rng: np.random.Generator, look: Look) -> Look:
    """Return a look that is near another one, closer or less close than near-identical ones are."""
    changed = look.thumbnail + rng.integers(-6, 7, look.thumbnail.shape) * rng.integers(2)
    flips = sum(1 << int(bit) for bit in set(rng.integers(64, size=rng.integers(4))))
    return Look(look.hash ^ flips, changed.astype(np.int16))


def some_looks(rng: np.random.Generator, count: int, of: int) -> dict[str, Look]:
    """Return looks by name, each like one before it; ``of`` of them are like none."""
    shape = (8, 8, 3)
    looks = [
        Look(int(rng.integers(2**63)), rng.integers(100, 100 + spread, shape).astype(np.int16))
        for spread in rng.integers(1, 60, of)
    ]
    while len(looks) < count:
        looks.append(looks_like(rng, looks[rng.integers(len(looks))]))
    return {f"{number:04}": looks[number] for number in rng.permutation(count)}


@pytest.mark.parametrize("seed", range(4))
def test_what_looks_alike_hangs_together_as_if_all_had_been_compared(seed):
    looks = some_looks(np.random.default_rng(seed), 60, 8)
    units = {name: {name} for name in looks}
    known, seen = Lookalikes(), set()
    for left in looks:
        alike = [right for right in looks if is_near_identical(looks[left], looks[right])]
        for right in alike:
            units[left] |= units[right]
            units |= dict.fromkeys(units[left], units[left])
        assert known.first_of(looks[left]) == min(seen.intersection(alike), default=None)
        seen.add(left)
        known.add(left, looks[left])
    assert 1 < len(set(map(min, units.values()))) < 60
    assert units_of((), looks) == {name: min(unit) for name, unit in units.items()}


def test_thousands_of_pictures_that_look_alike_are_one_unit():
    """Each is not compared with each: that took minutes."""
    rng = np.random.default_rng(1)
    first = Look(int(rng.integers(2**63)), rng.integers(100, 200, (8, 8, 3)).astype(np.int16))
    faint = [Look(first.hash ^ (1 << bit), first.thumbnail + 1) for bit in range(64)]
    looks = {f"{number:05}": [first, *faint][number % 65] for number in range(5_000)}
    near = {f"near{number}": Look(first.hash, first.thumbnail + number) for number in range(5)}
    assert set(units_of((), looks | near).values()) == {"00000"}


def test_copies_are_found_and_nothing_else_is_taken_for_one(gallery):
    groups = near_identical_groups(gallery, names(gallery))
    assert len(groups) == 40
    for group in groups:
        assert len({name[:2] for name in group}) == 1


@pytest.mark.parametrize("seed", range(5))
def test_near_identical_images_land_on_one_side(gallery, seed):
    splits = split_by_image(gallery, names(gallery), fractions=(0.5, 0.25, 0.25), seed=seed)
    sides = {(name[:2], split) for name, split in splits.items()}
    assert len(sides) == 40


def test_every_image_has_one_split_however_often_it_is_named(gallery):
    splits = split_by_image(gallery, names(gallery) * 3)
    assert sorted(splits) == names(gallery)


def test_the_order_of_rows_changes_nothing_and_the_seed_does(gallery):
    shuffled = names(gallery)
    random.Random(1).shuffle(shuffled)
    assert split_by_image(gallery, shuffled) == split_by_image(gallery, names(gallery))
    assert split_by_image(gallery, shuffled, seed=1) != split_by_image(gallery, shuffled, seed=2)


def test_the_shares_are_met_up_to_a_group(gallery):
    all_names = names(gallery)
    for seed in range(5):
        counts = Counter(
            split_by_image(gallery, all_names, fractions=(0.6, 0.2, 0.2), seed=seed).values()
        )
        for split, share in (("train", 0.6), ("validation", 0.2), ("test", 0.2)):
            assert abs(counts[split] - share * len(all_names)) <= 4


def test_a_share_of_nothing_gets_nothing(gallery):
    splits = split_by_image(gallery, names(gallery), fractions=(0.8, 0.2, 0.0))
    assert "test" not in splits.values()


@pytest.mark.parametrize("fractions", [(0.5, 0.2, 0.2), (1.2, -0.1, -0.1)])
def test_shares_that_do_not_add_up_are_bad_input(gallery, fractions):
    with pytest.raises(InputError, match="add up to 1"):
        split_by_image(gallery, names(gallery), fractions=fractions)


def test_an_unreadable_image_is_a_group_of_its_own(gallery, tmp_path):
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"not an image")
    photograph(1).save(buffer := io.BytesIO(), "png")
    (tmp_path / "c.png").write_bytes(buffer.getvalue())
    groups = near_identical_groups(tmp_path, ["a.png", "b.png", "c.png", "missing.png"])
    assert groups == [["a.png"], ["b.png"], ["c.png"], ["missing.png"]]


def test_pictures_that_differ_in_colour_alone_stay_apart(tmp_path):
    for index, colour in enumerate(("red", "green", "blue", "black", "yellow", "teal")):
        Image.new("RGB", (64, 64), colour).save(tmp_path / f"{index}.png")
    assert len(near_identical_groups(tmp_path, names(tmp_path))) == 6


def test_shapes_on_plain_ground_are_not_merged_wholesale():
    easy_vqa = pytest.importorskip("easy_vqa", reason="the package easy-vqa is not installed")
    folder = Path(easy_vqa.__file__).parent / "data" / "test" / "images"
    chosen = [f"{number}.png" for number in range(300)]
    groups = near_identical_groups(folder, chosen)
    assert len(groups) > 150
    assert max(map(len, groups)) < 30


def view(name, product="", **fields):
    return QAPair(name, "what is it", "a shoe", name, product=product, **fields)


def test_the_views_of_a_product_are_one_unit_and_land_on_one_side():
    views = [
        view(f"{product}-{side}.jpg", f"P{product}") for product in range(20) for side in "abc"
    ]
    units = units_of(views)
    assert len(members(units)) == 20
    for seed in range(5):
        splits = split_units(units, fractions=(0.5, 0.25, 0.25), seed=seed)
        assert len({(name.partition("-")[0], split) for name, split in splits.items()}) == 20


def test_what_shares_an_image_is_one_unit_through_any_chain():
    rows = [
        view("a.jpg", "P1"),
        view("b.jpg", "P1"),
        view("b.jpg", "P2"),
        view("c.jpg", "P2"),
        view("d.jpg", provenance=Provenance(listing_id="L")),
        view("c.jpg", provenance=Provenance(listing_id="L")),
        view("e.jpg", unit_id="a.jpg"),
        view("f.jpg", unit_id="a.jpg"),
    ]
    assert members(units_of(rows)) == [["a.jpg", "b.jpg", "c.jpg", "d.jpg"], ["e.jpg", "f.jpg"]]


@pytest.mark.parametrize("nothing", ["", "nan", "None", "NULL", "-", "N/A"])
def test_cells_that_name_no_product_join_nothing(nothing):
    assert len(members(units_of([view("a.jpg", nothing), view("b.jpg", nothing)]))) == 2


def test_products_and_looks_join_each_other(gallery):
    rows = [view("01.png", "P"), view("00-copy.jpg", "P"), view("00.png"), view("02.png")]
    units = units_of(rows, looks_in(gallery, [row.filename for row in rows]))
    assert members(units) == [["00-copy.jpg", "00.png", "01.png"], ["02.png"]]


def test_units_for_training_alone_count_towards_its_share():
    units = {f"{n}.jpg": f"{n}.jpg" for n in range(20)}
    seen = {f"{n}.jpg" for n in range(8)}
    splits = split_units(units, fractions=(0.5, 0.25, 0.25), for_training=seen)
    assert {splits[name] for name in seen} == {"train"}
    assert Counter(splits.values()) == {"train": 10, "validation": 5, "test": 5}


def test_the_unit_is_named_after_what_the_rows_say():
    assert independent_unit([view("a.jpg")]) == "image"
    assert independent_unit([view("a.jpg", unit_id="a.jpg")]) == "image, look-alikes together"
    assert independent_unit([view("a.jpg", "P"), view("b.jpg")]) == "product"
    assert (
        independent_unit([view("a.jpg", "P", unit_id="a.jpg")]) == "product, look-alikes together"
    )


def test_faint_pictures_on_one_background_are_not_one_unit(tmp_path):
    """Swatches of pale paint, and pens on white."""
    random_numbers = np.random.default_rng(0)
    for number in range(60):
        pale = tuple(int(value) for value in 255 - random_numbers.integers(0, 40, 3))
        Image.new("RGB", (200, 200), pale).save(tmp_path / f"swatch-{number:02}.png")
        pen = Image.new("RGB", (200, 200), "white")
        ends = [int(value) for value in random_numbers.integers(40, 160, 4)]
        colour = tuple(int(value) for value in random_numbers.integers(0, 255, 3))
        ImageDraw.Draw(pen).line(ends, fill=colour, width=6)
        pen.save(tmp_path / f"pen-{number:02}.png")
    groups = near_identical_groups(tmp_path, names(tmp_path))
    assert max(map(len, groups)) <= 3
    assert len(groups) > 100


def test_a_pale_picture_that_is_saved_anew_is_known_again(tmp_path):
    pale = Image.new("RGB", (200, 200), (250, 240, 230))
    pale.save(tmp_path / "a.png")
    pale.resize((400, 400)).save(tmp_path / "b.jpg", quality=60)
    assert near_identical_groups(tmp_path, ["a.png", "b.jpg"]) == [["a.png", "b.jpg"]]


def test_a_picture_of_too_many_products_joins_none():
    """A size chart beside each product's own photo."""
    rows = [
        QAPair(f"{product}{name}", "what", "it", name, product=f"P{product:02}")
        for product in range(12)
        for name in (f"{product}.jpg", "chart.jpg")
    ]
    assert len(members(units_of(rows))) == 13
    assert len(members(units_of(rows[:8]))) == 1


@pytest.mark.parametrize("column", ["style_id", "article_id", "pid", "Parent SKU", "productId"])
def test_products_are_known_by_the_columns_of_shops(tmp_path, column):
    path = tmp_path / "pairs.csv"
    rows = [f"what is it,a shirt,{number}.jpg,{1000 + number // 3}" for number in range(9)]
    path.write_text("\n".join([f"question,answer,filename,{column}", *rows]), encoding="utf-8")
    assert len(members(units_of(read_pairs(path)))) == 3
