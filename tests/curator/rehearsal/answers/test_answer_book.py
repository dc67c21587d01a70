"""Images are known again by content, told apart when they differ, and indexed once."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
import structlog
from PIL import Image

from curator.rehearsal.answers.answer_book import AnswerBook, open_answer_book
from shared.corpus import read_pairs
from shared.errors import CorruptImage, InputError
from shared.records import QAPair
from tests.curator.rehearsal.conftest import KNOWN, Catalogue, draw, encoded

ABO = Path(__file__).parents[5] / "shared" / "abo"
SAMPLE = 150


def about(names: list[str]) -> list[QAPair]:
    return [QAPair(name, "what is it?", name.replace("/", "-"), name) for name in names]


@pytest.fixture
def book(catalogue: Catalogue, tmp_path: Path) -> AnswerBook:
    return open_answer_book(catalogue.images, read_pairs(catalogue.answers), tmp_path / "cache")


def taken_for(book: AnswerBook, content: bytes) -> str | None:
    found = book.same_file(content) or book.lookalike(content)
    return found.filename if found else None


def sent(path: Path, scale: float, quality: int) -> bytes:
    """Return an image as a client sends it: smaller and as JPEG."""
    with Image.open(path) as image:
        size = (max(1, int(image.width * scale)), max(1, int(image.height * scale)))
        return encoded(image.convert("RGB").resize(size), quality=quality)


def test_pairs_are_those_of_the_image(book: AnswerBook, catalogue: Catalogue):
    for name, pairs in KNOWN.items():
        found = book.same_file(catalogue.content(name))
        assert found is not None
        assert [(pair.question, pair.answer) for pair in found.pairs] == pairs
    assert (len(book), book.pair_count) == (2, 5)


def test_other_bytes_are_not_the_same_file(book: AnswerBook, catalogue: Catalogue):
    content = sent(catalogue.images / "shoe.png", 1.0, 90)
    assert book.same_file(content) is None
    assert taken_for(book, content) == "shoe.png"


@pytest.mark.parametrize("mode", ["RGBA", "L", "P", "CMYK"])
def test_images_of_any_mode_can_be_looked_up(book: AnswerBook, catalogue: Catalogue, mode: str):
    with Image.open(catalogue.images / "lamp.png") as image:
        buffer = io.BytesIO()
        image.convert(mode).save(buffer, "TIFF")
    expected = None if mode == "L" else "lamp.png"
    assert taken_for(book, buffer.getvalue()) == expected


def test_unknown_image_is_not_taken_for_another(book: AnswerBook):
    assert taken_for(book, encoded(draw("green", (0, 150, 299, 299)))) is None
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    assert taken_for(book, encoded(Image.fromarray(noise))) is None


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_image_raises(book: AnswerBook, content: bytes):
    with pytest.raises(CorruptImage):
        book.lookalike(content)


def test_indistinguishable_images_are_told(catalogue: Catalogue, tmp_path: Path):
    shutil.copy(catalogue.images / "shoe.png", catalogue.images / "again.png")
    with structlog.testing.capture_logs() as events:
        book = open_answer_book(
            catalogue.images, about(["again.png", "shoe.png", "lamp.png"]), tmp_path / "cache"
        )
    assert book.indistinguishable() == [("again.png", "shoe.png")]
    assert [one["images"] for one in events] == [2]
    for content in (catalogue.content("shoe.png"), sent(catalogue.images / "shoe.png", 0.5, 90)):
        found = book.same_file(content) or book.lookalike(content)
        assert found is not None
        assert (found.filename, found.rivals) == ("again.png", ("shoe.png",))


def test_index_is_kept_and_survives_damage(catalogue: Catalogue, tmp_path: Path):
    cache = tmp_path / "cache"
    pairs = read_pairs(catalogue.answers)
    open_answer_book(catalogue.images, pairs, cache)
    [kept] = cache.iterdir()
    before = kept.stat().st_mtime_ns
    open_answer_book(catalogue.images, pairs, cache)
    assert kept.stat().st_mtime_ns == before
    kept.write_bytes(kept.read_bytes()[:100])
    content = sent(catalogue.images / "lamp.png", 0.5, 80)
    assert taken_for(open_answer_book(catalogue.images, pairs, cache), content) == "lamp.png"


def test_changed_image_is_indexed_anew(catalogue: Catalogue, tmp_path: Path):
    pairs = read_pairs(catalogue.answers)
    open_answer_book(catalogue.images, pairs, tmp_path / "cache")
    new = draw("orange", (0, 0, 299, 80))
    new.save(catalogue.images / "lamp.png")
    book = open_answer_book(catalogue.images, pairs, tmp_path / "cache")
    assert taken_for(book, encoded(new.resize((100, 100)))) == "lamp.png"


def test_missing_and_broken_images_are_left_out(catalogue: Catalogue, tmp_path: Path):
    (catalogue.images / "broken.png").write_bytes(b"not an image")
    names = ["broken.png", "missing.png", "shoe.png"]
    for _ in ("first", "from the cache"):
        with structlog.testing.capture_logs() as events:
            book = open_answer_book(catalogue.images, about(names), tmp_path / "cache")
        assert len(book) == 1
        left_out = [one for one in events if one["event"] == "rehearsal_images_left_out"]
        assert [one["count"] for one in left_out] == [2]


def test_nothing_to_index_is_bad_input(catalogue: Catalogue, tmp_path: Path):
    with pytest.raises(InputError, match="no such images folder"):
        open_answer_book(tmp_path / "nowhere", about(["a.png"]), tmp_path / "cache")
    with pytest.raises(InputError, match="holds none of the images"):
        open_answer_book(catalogue.images, about(["a.png"]), tmp_path / "cache")
    (catalogue.images / "a.png").write_bytes(b"")
    with pytest.raises(InputError, match="can be decoded"):
        open_answer_book(catalogue.images, about(["a.png"]), tmp_path / "cache")


@pytest.mark.parametrize(("scale", "quality"), [(1.0, 90), (1.0, 75), (0.5, 90), (4.0, 90)])
def test_easy_vqa_shapes_are_told_apart(tmp_path_factory, scale: float, quality: int):
    easy_vqa = pytest.importorskip("easy_vqa", reason="easy-vqa is not installed")
    paths = {Path(path) for path in easy_vqa.get_train_image_paths().values()}
    folder = next(iter(paths)).parent
    cache = tmp_path_factory.getbasetemp() / "easy-vqa-index"
    book = open_answer_book(folder, about(sorted(path.name for path in paths)), cache)
    assert len(book) == 4000
    for path in sorted(paths)[:: len(paths) // SAMPLE]:
        assert taken_for(book, sent(path, scale, quality)) == path.name


@pytest.mark.slow
@pytest.mark.abo
@pytest.mark.skipif(not ABO.is_dir(), reason="the ABO sample is not in ../shared/abo")
def test_abo_photos_are_told_apart(tmp_path: Path):
    folder = ABO / "images" / "small"
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.jpg"))
    book = open_answer_book(folder, about(names), tmp_path / "cache")
    assert len(book) == 7946
    for name in names[:: len(names) // SAMPLE]:
        for scale, quality in ((1.0, 90), (0.5, 75), (0.25, 90)):
            found = book.lookalike(sent(folder / name, scale, quality))
            assert found is not None
            # A few products were photographed, or scanned, more than once.
            assert name in (found.filename, *found.rivals)
            assert len(found.rivals) <= 2
