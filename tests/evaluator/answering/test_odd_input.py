"""Whatever lies in a folder of images or in a cell of a table is answered, or counted as broken."""

import csv
import shutil
import struct
import zlib

import pytest
from PIL import Image

from evaluator.answering.fleet import LocalFleet
from evaluator.answering.messages import BROKEN_IMAGE_ANSWER
from evaluator.answering.replica import Replica
from evaluator.runs.run import evaluate
from shared.corpus import read_pairs, read_predictions
from shared.records import Question
from tests.chat_models.qwen import save_qwen2_vl
from tests.evaluator import scripted_replica
from tests.evaluator.replicas import evaluation_of, no_text_models, settings_for
from tests.evaluator.scripted_replica import SlowReplica
from tests.fakes.clock import FakeClock

BROKEN = {"empty.png", "zeros.jpg", "cut.png", "flipped.png", "text.jpg", "vast.png", "folder.png"}
FINE = {"whole.png", "pixel.png", "thin.png", "frames.gif", "frames.webp"}
VAST_PX = 20_000
LONG = 10 * 2**20
CELLS = [
    ("quotes", 'what is "this", then?', '"red", they say'),
    ("newlines", "what\nis\r\nthis", "red\n\nor not"),
    ("nul", "what\0is", "re\0d"),
    ("long", "what " * (LONG // 5), "red " * (LONG // 4)),
    ("twice", "what", "red"),
    ("twice", "what", "red"),
    ("twice", "which", "blue"),
]


def vast_png() -> bytes:
    """A picture of 20,000 x 20,000 pixels in a file of 60 kB."""

    def chunk(name: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + check

    header = struct.pack(">IIBBBBB", VAST_PX, VAST_PX, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes(VAST_PX * (VAST_PX // 8 + 1)), 1)
    parts = ((b"IHDR", header), (b"IDAT", rows), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


@pytest.fixture(scope="module")
def images(tmp_path_factory, pictures):
    folder = tmp_path_factory.mktemp("odd")
    whole = shutil.copy(pictures[0] / "000.png", folder / "whole.png").read_bytes()
    half = len(whole) // 2
    (folder / "empty.png").touch()
    (folder / "zeros.jpg").write_bytes(bytes(1_000))
    (folder / "cut.png").write_bytes(whole[:half])
    (folder / "flipped.png").write_bytes(whole[:half] + b"\xff" * 20 + whole[half + 20 :])
    (folder / "text.jpg").write_text("<html>not found</html>")
    (folder / "vast.png").write_bytes(vast_png())
    (folder / "folder.png").mkdir()
    Image.new("RGB", (1, 1), "red").save(folder / "pixel.png")
    Image.new("RGB", (1, VAST_PX)).save(folder / "thin.png")
    first, second = (Image.new("RGB", (40, 40), colour) for colour in ("red", "blue"))
    for kind in ("gif", "webp"):
        first.save(folder / f"frames.{kind}", save_all=True, append_images=[second])
    return folder


def test_odd_images_are_answered_or_broken_and_never_more(tiny_model, images):
    names = sorted(BROKEN | FINE | {"missing.png"})
    replica = Replica(settings_for(tiny_model, images))
    replies = replica.answer([Question(name, "what shape is it", name) for name in names])
    assert sorted(reply.question_id for reply in replies) == names
    assert {r.question_id for r in replies if r.broken_image} == BROKEN | {"missing.png"}
    for reply in replies:
        assert (reply.answer == BROKEN_IMAGE_ANSWER) == reply.broken_image


def test_a_shape_that_a_models_processor_refuses_is_a_broken_image(tmp_path):
    model = save_qwen2_vl(tmp_path / "model")
    images = tmp_path / "images"
    images.mkdir()
    for name, size in (("fine", (60, 40)), ("thin", (1, 900)), ("flat", (900, 1))):
        Image.new("RGB", size, "red").save(images / f"{name}.png")
    replica = Replica(settings_for(model, images))
    names = ("thin", "fine", "flat", "thin")
    asked = [Question(f"{n}", "what shape is it", f"{name}.png") for n, name in enumerate(names)]
    broken = [reply.question_id for reply in replica.answer(asked) if reply.broken_image]
    assert sorted(broken) == ["0", "2", "3"]


@pytest.mark.slow
def test_odd_cells_come_back_as_they_are(tmp_path, monkeypatch):
    monkeypatch.setattr(scripted_replica, "SECONDS_A_QUESTION", 0.0)
    with (tmp_path / "pairs.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["id", "filename", "question", "answer"])
        table.writerows([name, f"{name}.png", *texts] for name, *texts in CELLS)
    pairs = read_pairs(tmp_path / "pairs.csv")
    assert [(pair.question, pair.answer) for pair in pairs] == [
        (question.strip(), answer.strip()) for _, question, answer in CELLS
    ]
    fleet = LocalFleet(SlowReplica(tmp_path))
    evaluate(evaluation_of(pairs), tmp_path / "run", lambda: fleet, no_text_models, FakeClock())
    for name in ("predictions.csv", "predictions.parquet"):
        read = read_predictions(tmp_path / "run" / name)
        texts = sorted((row.pair.question, row.pair.answer) for row in read)
        assert texts == sorted((pair.question, pair.answer) for pair in pairs)
