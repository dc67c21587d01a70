"""The check of a data set: leaks between splits, contradictions, and what the answers are."""

import shutil
from dataclasses import replace

import pytest

from shared.dataset.check import Bond, Conflict, Leak, check_data, find_leaks, leak_text
from shared.records import QAPair
from tests.pictures import draw_gallery


def pair(image, question="what color is it", answer="red", split=None):
    return QAPair(f"{image}{question}", question, answer, image, split)


@pytest.fixture
def gallery(tmp_path):
    """Six pictures of which the last is a copy of the first, in another split."""
    pairs = draw_gallery(tmp_path, 6, ("train", "validation", "test"))
    shutil.copy(tmp_path / "000.png", tmp_path / "005.png")
    return tmp_path, pairs


def test_copies_in_two_splits_are_found_by_their_pixels(gallery):
    images, pairs = gallery
    check = check_data(pairs, images)
    assert check.leaks == (Leak(("000.png", "005.png"), ("train", "test"), Bond.LOOK),)
    assert check.leaked_pairs == 2  # the two questions about the copy
    assert check.looked_at
    assert check_data(pairs, None).leaks == ()
    text = leak_text(check.leaks)
    assert text == (
        "1 group of near-identical images is in more than one split "
        "(000.png ~ 005.png in train and test)"
    )


def test_the_same_image_in_two_splits_is_found_by_name():
    pairs = [
        pair("a.jpg", split="train"),
        pair("a.jpg", "what is it", split="test"),
        pair("b.jpg", split="test"),
    ]
    assert find_leaks(pairs, None) == [Leak(("a.jpg",), ("train", "test"))]
    assert check_data(pairs, None).leaked_pairs == 1


def test_one_split_leaks_into_no_other_and_no_picture_is_opened(tmp_path):
    pairs = [pair("a.jpg", split="train"), pair("b.jpg", split="train"), pair("c.jpg")]
    assert find_leaks(pairs, tmp_path / "nowhere") == []


def test_contradictions_are_those_that_normalisation_leaves():
    pairs = [
        pair("a.jpg", "What color is it?", "Red"),
        pair("a.jpg", "what color is it", "red."),
        pair("a.jpg", "what color is it", "blue"),
        pair("b.jpg", "what color is it", "green"),
    ]
    check = check_data(pairs, None)
    assert check.conflicts == (Conflict("a.jpg", "what color is it", ("blue", "red")),)
    assert check.repeats == 1


def test_shares_of_answers():
    answers = ["2", "two", "yes", "No.", "dark blue", "12.5", "x2", "red"]
    check = check_data([pair(f"{n}.jpg", answer=text) for n, text in enumerate(answers)], None)
    assert (check.numbers, check.yes_no, check.longer) == (3 / 8, 2 / 8, 1 / 8)


def test_missing_images_are_counted(gallery):
    images, pairs = gallery
    more = [*pairs, replace(pairs[0], filename="gone.png")]
    assert check_data(more, images).missing_images == 1


def test_many_leaks_are_counted_and_a_few_named():
    pairs = [pair(f"{n}.jpg", split=split) for n in range(9) for split in ("train", "test")]
    text = leak_text(find_leaks(pairs, None))
    assert text.startswith("9 images are in more than one split (0.jpg in train and test; ")
    assert text.endswith("; ...)")


def view(image, product, split):
    return replace(pair(image, split=split), product=product)


def test_a_split_by_row_says_how_many_products_and_images_leak():
    pairs = [
        view(f"{product}-{side}.jpg", f"P{product}", split)
        for product in range(5)
        for side, split in enumerate(
            ("train", "train", "test") if product < 3 else ("train", "train", "train")
        )
    ]
    check = check_data(pairs, None)
    assert (check.products, check.leaks_by(Bond.PRODUCT), check.leaks_by(Bond.IMAGE)) == (5, 3, 0)
    assert (check.leaked_images, check.leaked_pairs) == (3, 3)
    assert leak_text(check.leaks).startswith("3 products are in more than one split (0-0.jpg ~ ")


def test_leaks_are_counted_by_product_and_by_look(gallery):
    images, pairs = gallery
    named = [
        replace(pair, product="P" if pair.filename in {"001.png", "002.png"} else "")
        for pair in pairs
    ]
    check = check_data(named, images)
    assert [check.leaks_by(bond) for bond in Bond] == [0, 1, 1]
    # 001.png is of validation and 002.png of test: nothing of that product is trained on.
    assert check.leaked_images == 1
