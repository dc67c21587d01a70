"""The pairs of a run: all there, split by product, or refused."""

from dataclasses import replace

import pytest
from PIL import Image
from structlog.testing import capture_logs

from shared.corpus import write_pairs
from shared.dataset.folder import write_dataset
from shared.dataset.training_images import TrainingImages
from shared.errors import InputError
from shared.images.fingerprints import fingerprints
from shared.images.source import ImageFolder
from tests.pictures import draw_gallery
from trainer.data.dataset import load_pairs
from trainer.recipe.recipe import SplitRecipe

SPLITS = ("train", "validation", "test")


@pytest.fixture
def images(tmp_path):
    return tmp_path / "images"


def test_the_splits_of_the_data_are_kept(tmp_path, images):
    pairs = draw_gallery(images, 9, SPLITS)
    write_dataset(pairs, tmp_path / "set", source={}, split_rule={})
    divided = load_pairs(tmp_path / "set", images, SplitRecipe())
    assert [pair.split for pair in divided.everything] == [s for s in SPLITS for _ in range(6)]
    assert {pair.id for pair in divided.everything} == {pair.id for pair in pairs}


def test_data_without_splits_are_split_by_image(tmp_path, images):
    pairs = draw_gallery(images, 20)
    write_pairs(pairs, tmp_path / "a.csv")
    divided = load_pairs(
        tmp_path / "a.csv", images, SplitRecipe(train=0.5, validation=0.3, test=0.2)
    )
    sides = [{pair.filename for pair in getattr(divided, split)} for split in SPLITS]
    assert sum(map(len, sides)) == len(set.union(*sides)) == 20
    assert all(side for side in sides)
    assert len(divided.everything) == 40


def test_nothing_is_learned_from_answers_that_people_rejected(tmp_path, images):
    pairs = [
        replace(pair, label_review=review)
        for pair, review in zip(
            draw_gallery(images, 12), ("accepted", "rejected", "", "disputed") * 6, strict=True
        )
    ]
    write_pairs(pairs, tmp_path / "a.jsonl")
    with capture_logs() as logs:
        divided = load_pairs(tmp_path / "a.jsonl", images, SplitRecipe())
    assert {pair.label_review for pair in divided.everything} == {"accepted", ""}
    assert [(log["event"], log["left_out"]) for log in logs if "left_out" in log] == [
        ("pairs_without_right_answer", 12)
    ]
    write_pairs([replace(pair, label_review="rejected") for pair in pairs], tmp_path / "b.jsonl")
    with pytest.raises(InputError, match="no right answer"):
        load_pairs(tmp_path / "b.jsonl", images, SplitRecipe())


def spoil(pairs, images, kind):
    if kind == "an image is missing":
        (images / pairs[0].filename).unlink()
    if kind == "images are broken":
        for number in range(1, 6):
            (images / f"{number:03}.png").write_bytes(b"broken")
    if kind == "an image is in two splits":
        return [replace(pairs[0], split="test"), *pairs[1:]]
    if kind == "a split is missing":
        return [replace(pairs[0], split=None), *pairs[1:]]
    if kind == "nothing to validate on":
        return [replace(pair, split="train") for pair in pairs]
    return pairs


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("an image is missing", r"images: 1 of 6 images are missing, such as 000\.png"),
        (
            "images are broken",
            r"5 of 6 images cannot be read, such as 001\.png, 002\.png, 003\.png",
        ),
        ("images are broken", r" \(.*001\.png: not a readable image \(none of .*\); mend them"),
        (
            "an image is in two splits",
            r"1 image is in more than one split \(000\.png in train and test\)",
        ),
        ("a split is missing", "1 of 12 rows have no split"),
        ("nothing to validate on", "12 training and 0 validation rows"),
    ],
)
def test_spoilt_data_are_refused(tmp_path, images, kind, reason):
    pairs = spoil(draw_gallery(images, 6, SPLITS), images, kind)
    write_pairs(pairs, tmp_path / "a.jsonl")
    with pytest.raises(InputError, match=reason):
        load_pairs(tmp_path / "a.jsonl", images, SplitRecipe())


def near_copy(pairs, images):
    """Give the last pair's picture nearly the pixels of the first one's."""
    with Image.open(images / pairs[0].filename) as picture:
        copy = picture.convert("RGB")
    copy.putpixel((0, 0), (1, 2, 3))
    copy.save(images / pairs[-1].filename)


def test_near_identical_images_in_two_splits_are_refused_unless_allowed(tmp_path, images):
    pairs = draw_gallery(images, 6, SPLITS)
    near_copy(pairs, images)
    write_pairs(pairs, tmp_path / "a.jsonl")
    with pytest.raises(InputError, match=r"\(000\.png ~ 005\.png in .*set `allow_leaks` to train"):
        load_pairs(tmp_path / "a.jsonl", images, SplitRecipe())
    divided = load_pairs(tmp_path / "a.jsonl", images, SplitRecipe(), allow_leaks=True)
    assert len(divided.everything) == 12


def test_the_views_of_a_product_stay_on_one_side(tmp_path, images):
    pairs = [
        replace(pair, product=f"P{int(pair.filename[:3]) // 3}")
        for pair in draw_gallery(images, 30)
    ]
    write_pairs(pairs, tmp_path / "a.jsonl")
    divided = load_pairs(tmp_path / "a.jsonl", images, SplitRecipe())
    sides = {(pair.product, pair.split) for pair in divided.everything}
    assert len(sides) == 10
    assert divided.rule["unit"] == "product, look-alikes together"
    assert divided.rule["version"] == 2


def test_a_product_in_two_splits_is_refused_unless_allowed(tmp_path, images):
    pairs = [
        replace(pair, product="P" if pair.filename in {"000.png", "002.png"} else "")
        for pair in draw_gallery(images, 6, SPLITS)
    ]
    write_pairs(pairs, tmp_path / "a.jsonl")
    with pytest.raises(InputError, match=r"1 product is in more than one split \(000\.png ~ 002"):
        load_pairs(tmp_path / "a.jsonl", images, SplitRecipe())
    load_pairs(tmp_path / "a.jsonl", images, SplitRecipe(), allow_leaks=True)


def test_a_column_that_names_no_product_can_be_forgotten(tmp_path, images):
    """Every row is said to be about a shoe: one unit, which cannot be divided."""
    pairs = [replace(pair, product="shoe") for pair in draw_gallery(images, 20)]
    write_pairs(pairs, tmp_path / "a.jsonl")
    with pytest.raises(InputError, match=r"of 1 products or look-alikes.*columns = \{product = ''"):
        load_pairs(tmp_path / "a.jsonl", images, SplitRecipe())
    divided = load_pairs(tmp_path / "a.jsonl", images, SplitRecipe(), columns={"product": ""})
    assert divided.validation


def base_of(images, names):
    prints = fingerprints(ImageFolder(images), names)
    return TrainingImages([prints[name] for name in names])


def test_what_the_base_was_trained_on_is_never_held_out(tmp_path, images):
    pairs = draw_gallery(images, 20)
    write_pairs(pairs, tmp_path / "a.csv")
    seen = [f"{number:03}.png" for number in range(3, 15)]
    divided = load_pairs(tmp_path / "a.csv", images, SplitRecipe(), base=base_of(images, seen))
    held_out = {pair.filename for pair in divided.validation + divided.test}
    assert held_out
    assert not held_out & set(seen)


def test_held_out_rows_that_the_base_was_trained_on_are_left_out(tmp_path, images):
    pairs = draw_gallery(images, 9, SPLITS)
    write_pairs(pairs, tmp_path / "a.jsonl")
    base = base_of(images, ["001.png", "005.png"])
    divided = load_pairs(tmp_path / "a.jsonl", images, SplitRecipe(), base=base)
    assert {pair.filename for pair in divided.validation} == {"004.png", "007.png"}
    assert {pair.filename for pair in divided.test} == {"002.png", "008.png"}


def test_where_the_base_knows_everything_nothing_is_left_to_score(tmp_path, images):
    pairs = draw_gallery(images, 9)
    write_pairs(pairs, tmp_path / "a.csv")
    base = base_of(images, [f"{number:03}.png" for number in range(9)])
    with pytest.raises(InputError, match="after what the base itself was trained on, so that no"):
        load_pairs(tmp_path / "a.csv", images, SplitRecipe(), base=base)
    allowed = load_pairs(tmp_path / "a.csv", images, SplitRecipe(), base=base, allow_leaks=True)
    assert allowed.validation


def pretrained_on(images, names):
    return TrainingImages(pretrained_on=base_of(images, names).trained_on)


def test_what_the_base_was_pretrained_on_fills_training_first(tmp_path, images):
    write_pairs(draw_gallery(images, 20), tmp_path / "a.csv")
    seen = [f"{number:03}.png" for number in range(3, 15)]
    divided = load_pairs(
        tmp_path / "a.csv", images, SplitRecipe(), base=pretrained_on(images, seen)
    )
    assert set(seen) <= {pair.filename for pair in divided.train}
    assert [len(getattr(divided, split)) for split in SPLITS] == [32, 4, 4]


def test_no_split_is_starved_for_what_the_base_was_pretrained_on(tmp_path, images):
    pairs = draw_gallery(images, 20)
    write_pairs(pairs, tmp_path / "a.csv")
    for count in (18, 20):
        base = pretrained_on(images, [f"{number:03}.png" for number in range(count)])
        with capture_logs() as logs:
            divided = load_pairs(tmp_path / "a.csv", images, SplitRecipe(), base=base)
        assert [len(getattr(divided, split)) for split in SPLITS] == [32, 4, 4]
        [told] = [log for log in logs if log["event"] == "base_was_pretrained_on_held_out_images"]
        assert (told["images"], told["of"]) == (count - 16, 4)
    own = draw_gallery(images, 9, SPLITS)
    write_pairs(own, tmp_path / "own.jsonl")
    divided = load_pairs(tmp_path / "own.jsonl", images, SplitRecipe(), base=base)
    assert len(divided.everything) == len(own)


def test_a_missing_images_folder_is_named(tmp_path):
    with pytest.raises(InputError, match="no such images folder"):
        load_pairs(tmp_path / "a.csv", tmp_path / "nowhere", SplitRecipe())
