"""Questions per second: our replica against the loop of the report.

The report's loop takes rows in file order, opens the image of every row, and calls the model's own
``generate`` on a small batch. Its questions are padded, as they were there; the answers are not
compared here (tests do that), only the time.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from transformers import BlipConfig, BlipForQuestionAnswering

from evaluator.replica import Replica, replica_settings
from shared.records import Question
from shared.vqa.loading import (
    EMBEDDED_MODEL,
    LoadedModel,
    Quantization,
    load_model,
)
from shared.vqa.preprocessing import open_image, pixel_values
from tests.bench.measure import Comparison, compare

WORDS = ("color", "shape", "main material", "type", "style of the sole", "number of legs")


def bench_answers(folder: Path) -> list[Comparison]:
    """Blip-vqa-tiny in float32, 5 and 10 questions an image, small and large batches."""
    images = make_pictures(folder / "tiny", 40, side=256)
    model = load_model(EMBEDDED_MODEL, quantization=Quantization.NONE)
    return [
        _compare("blip-vqa-tiny", EMBEDDED_MODEL, model, images, per_image, batch)
        for per_image, batch in ((5, 2), (5, 64), (10, 64))
    ]


def bench_full_size(folder: Path) -> list[Comparison]:
    """A BLIP of the size of blip-vqa-base with random weights, in float32, equal batches."""
    images = make_pictures(folder / "full", 2, side=384)
    source = full_size_model(folder / "full-model")
    model = load_model(str(source), quantization=Quantization.NONE)
    return [
        _compare("BLIP, full size", str(source), model, images, per_image, per_image, rounds=1)
        for per_image in (5, 10)
    ]


def _compare(
    what: str,
    source: str,
    model: LoadedModel,
    images: Path,
    per_image: int,
    batch: int,
    rounds: int = 3,
) -> Comparison:
    names = sorted(path.name for path in images.iterdir())
    questions = [
        Question(f"{name}-{i}", f"what is the {WORDS[i % len(WORDS)]} of item {i}", name)
        for name in names
        for i in range(per_image)
    ]
    settings = replica_settings(source, None, "none", images, batch_size=max(batch, per_image))
    replica = Replica(settings)
    return compare(
        f"{what}, {per_image} questions an image, batches of {batch}",
        "questions/s",
        len(questions),
        lambda: _report_loop(model, images, questions, batch),
        lambda: replica.answer(questions),
        rounds,
    )


@torch.inference_mode()
def _report_loop(
    model: LoadedModel, images: Path, questions: list[Question], batch: int
) -> list[str]:
    answers: list[str] = []
    for first in range(0, len(questions), batch):
        rows = questions[first : first + batch]
        pixels = pixel_values(
            model.image_processor, [open_image(images / row.filename) for row in rows]
        )
        tokens = model.tokenizer([row.text for row in rows], padding=True, return_tensors="pt")
        said = model.blip.generate(
            input_ids=tokens["input_ids"],
            attention_mask=tokens["attention_mask"],
            pixel_values=pixels,
            max_new_tokens=10,
        )
        answers.extend(model.tokenizer.batch_decode(said, skip_special_tokens=True))
    return answers


def make_pictures(folder: Path, count: int, side: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    for number in range(count):
        noise = random.integers(0, 256, (side // 8, side // 8, 3), dtype=np.uint8)
        picture = Image.fromarray(noise).resize((side, side), Image.Resampling.BICUBIC)
        picture.save(folder / f"{number:03d}.jpg")
    return folder


def full_size_model(folder: Path) -> Path:
    """Save BLIP with blip-vqa-base's sizes and blip-vqa-tiny's small vocabulary."""
    tiny = load_model(EMBEDDED_MODEL, quantization=Quantization.NONE)
    config = BlipConfig()
    text = tiny.blip.config.text_config
    config.text_config.vocab_size = text.vocab_size
    config.text_config.num_attention_heads = 12
    for name in ("bos_token_id", "eos_token_id", "sep_token_id", "pad_token_id"):
        setattr(config.text_config, name, getattr(text, name))
    # The default of 1e-10 makes a model that cannot see.
    config.vision_config.initializer_range = 0.02
    torch.manual_seed(0)
    BlipForQuestionAnswering(config).save_pretrained(folder)
    tiny.tokenizer.save_pretrained(folder)
    size = {"height": 384, "width": 384}
    type(tiny.image_processor)(size=size).save_pretrained(folder)
    return folder
