"""Every part sees the same pixels of every file: upright, on white, the first frame, scaled.

The pixels that each file has are known from how the test made it, not from the decoder.
"""

from __future__ import annotations

import importlib.util
import io
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from curator.rehearsal.answers.miniatures import SIDE, miniature_of
from curator.review.page.item_pictures import small_jpeg
from evaluator.reporting.small_pictures import small_picture
from evaluator.serve.serving import ReceivedImages
from shared.dataset.units import units_of
from shared.endpoints.image_encoding import prepare_photo
from shared.images.decoding import open_image
from shared.images.fingerprints import looks_in
from shared.images.source import image_source
from shared.records import QAPair
from tests.odd_pictures import COLOURED, GREY, distance, expected, upright, write_all
from trainer.data.gallery import load_gallery
from trainer.export.bundle import standalone_runtime

ALL = sorted(COLOURED | GREY)
AT_MOST = 6.0
"""Grey levels of 256 on average; a turn, a black ground or a clipped grey is 40 and more away."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("odd")
    write_all(folder)
    return folder


def from_jpeg(content: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(content))
    assert (picture.format, picture.mode) == ("JPEG", "RGB")
    assert picture.getexif().get(0x0112, 1) == 1
    picture.load()
    return picture


def request_of_the_curator(path: Path) -> Image.Image:
    return from_jpeg(prepare_photo(path).jpeg)


def status_page(path: Path) -> Image.Image:
    return from_jpeg(small_jpeg(path))


def rehearsal(path: Path) -> Image.Image:
    return Image.fromarray(miniature_of(path.read_bytes()).reshape(SIDE, SIDE, 3))


def report(path: Path) -> Image.Image:
    small = small_picture(image_source(str(path.parent)), path.name)
    assert small is not None
    return from_jpeg(small.jpeg)


def model(path: Path) -> Image.Image:
    return open_image(path)


def replica(path: Path) -> Image.Image:
    return image_source(str(path.parent)).read(path.name)


def served(path: Path) -> Image.Image:
    images = ReceivedImages()
    images.hold({"a": path.read_bytes()})
    return images.read("a")


def trained_on(path: Path) -> Image.Image:
    pair = QAPair(id="1", filename=path.name, question="what", answer="this")
    [picture_CHW] = load_gallery([pair], path.parent, 64).pictures_NCHW
    return Image.fromarray(picture_CHW.permute(1, 2, 0).numpy())


PARTS: list[Callable[[Path], Image.Image]] = [
    request_of_the_curator,
    status_page,
    rehearsal,
    report,
    model,
    replica,
    served,
    trained_on,
]


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.__name__)
@pytest.mark.parametrize("name", ALL)
def test_every_part_sees_the_picture_as_people_do(folder, name, part):
    seen, wanted = part(folder / name), expected(name)
    if part in (rehearsal, trained_on):
        wanted = wanted.resize(seen.size, Image.Resampling.BOX)
    assert distance(seen, wanted) < AT_MOST


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """Return an exported bundle's program, as a module that stands alone."""
    path = tmp_path_factory.mktemp("bundle") / "vqa.py"
    path.write_text(standalone_runtime(), encoding="utf-8")
    spec = importlib.util.spec_from_file_location("vqa_alone", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["vqa_alone"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["vqa_alone"]


@pytest.mark.parametrize("name", ALL)
def test_a_bundle_decodes_exactly_as_the_project_does(folder, name, alone):
    with alone.opened(folder / name) as image:
        seen = alone.rgb(image)
    assert np.array_equal(np.asarray(seen), np.asarray(open_image(folder / name)))
    assert "shared" not in Path(alone.__file__).read_text(encoding="utf-8").split()


def test_what_a_user_hands_to_a_bundle_is_turned_once(folder, alone):
    for name in ("turned-6.jpg", "transparent.png", "sixteen.png"):
        with Image.open(folder / name) as image:
            once = alone.rgb(image)
        assert distance(once, expected(name)) < AT_MOST
        assert np.array_equal(np.asarray(alone.rgb(once)), np.asarray(once))


def test_the_splits_keep_all_copies_of_a_picture_together(folder):
    units = units_of((), looks_in(folder, sorted(COLOURED)))
    assert set(units) == set(COLOURED)
    assert len(set(units.values())) == 1


def test_the_test_would_notice_a_turn_a_black_ground_and_a_clipped_grey():
    turned = upright().transpose(Image.Transpose.ROTATE_180)
    assert distance(turned, upright()) > 5 * AT_MOST
    assert distance(Image.new("RGB", upright().size), upright()) > 5 * AT_MOST
