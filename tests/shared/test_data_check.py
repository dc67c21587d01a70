"""The check of a data set: leaks between splits, contradictions, and what the answers are."""

import shutil
from dataclasses import replace

import pytest

from shared.data_check import Conflict, Leak, check_data, find_leaks, leak_text
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
    assert check.leaks == (Leak(("000.png", "005.png"), ("train", "test")),)
    assert check.leaked_pairs == 2  # the two questions about the copy
    assert check.looked_at
    assert check_data(pairs, None).leaks == ()
    text = leak_text(check.leaks)
    assert text == "1 image is in more than one split (000.png ~ 005.png in train and test)"


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
    assert text.startswith("9 images, near-identical ones counted once, are in more than one split")
    assert text.endswith("; ...)")
