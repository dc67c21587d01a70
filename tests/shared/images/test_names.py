"""Which file an image's name means."""

import pytest
from structlog.testing import capture_logs

from shared.errors import InputError
from shared.images.names import find_images, with_file_names
from shared.records import QAPair


@pytest.fixture
def folder(tmp_path):
    for name in (
        "00aa.jpg",
        "val/COCO_val2014_000000262148.jpg",
        "val/9.PNG",
        "twins/a.jpg",
        "twins/a.png",
        "x/7.jpg",
        "y/007.jpg",
        ".hidden/5.jpg",
        "notes/5.json",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("00aa", "00aa.jpg"),
        ("262148", "val/COCO_val2014_000000262148.jpg"),
        ("262148.0", "val/COCO_val2014_000000262148.jpg"),
        ("000000262148", "val/COCO_val2014_000000262148.jpg"),
        ("9", "val/9.PNG"),
        ("val/9", "val/9.PNG"),
        ("7", "x/7.jpg"),
        ("/kaggle/input/photos/val/9.PNG", "val/9.PNG"),
        (r"C:\Users\me\photos\val\9.PNG", "val/9.PNG"),
        ("./00aa.jpg", "00aa.jpg"),
    ],
)
def test_a_name_that_is_no_file_is_the_one_that_it_means(folder, name, file):
    search = find_images([name, "00aa.jpg"], folder)
    assert search.missing == []
    pair = QAPair("1", "q", "a", name)
    assert (folder / search.renamed([pair])[0].filename).samefile(folder / file)


def test_what_was_found_otherwise_is_said_with_an_example(folder):
    with capture_logs() as logs:
        find_images(["00aa.jpg", "262148", "9"], folder)
    [told] = logs
    assert told["images"] == 2
    assert told["such_as"] == "262148: val/COCO_val2014_000000262148.jpg"
    with capture_logs() as logs:
        find_images(["00aa.jpg"], folder)
    assert not logs


@pytest.mark.parametrize("name", ["a", "twins/a", "07"])
def test_a_name_that_may_mean_two_files_is_refused(folder, name):
    with pytest.raises(InputError, match=f"image '{name}' may be .* or .*; name the files"):
        find_images([name], folder)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("5", "5 is an id without a suffix"),
        ("aa", "aa is an id without a suffix"),
        ("x/00aa.png", "x/00aa.png is not there"),
        ("../00aa/secret.jpg", "is not there"),
        ("/elsewhere/1.jpg", "lies elsewhere, and no file"),
        ("https://shop.example/1.jpg", "is a URL: save the pictures"),
        ("n" * 300 + ".jpg", "is not there"),
    ],
)
def test_names_without_a_file_say_what_they_look_like(folder, name, why):
    with pytest.raises(InputError, match=r"holds none of the 1 images of data\.csv") as refused:
        with_file_names([QAPair("1", "q", "a", name)], folder, "data.csv")
    assert why in str(refused.value)


def test_some_missing_images_stop_nobody_here(folder):
    pairs = [QAPair("1", "q", "a", "00aa"), QAPair("2", "q", "a", "gone.jpg")]
    names = [pair.filename for pair in with_file_names(pairs, folder, "data.csv")]
    assert names == ["00aa.jpg", "gone.jpg"]


def test_linked_folders_are_looked_into_once(folder):
    (folder / "val" / "loop").symlink_to(folder)
    assert find_images(["9"], folder).files == {"9": "val/9.PNG"}


def test_below_a_url_every_name_is_taken_as_it_is():
    search = find_images(["9"], "https://shop.example/images")
    assert (search.files, search.missing) == ({}, ())
