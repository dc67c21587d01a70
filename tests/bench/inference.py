"""Questions per second: our replica against the loop of the report.

The report's loop takes rows in file order, opens the image of every row, and calls the model's own
``generate`` on a batch of 2; the same with batches of 64 is the second reference. Ours answers in
batches of 64. The loop's questions are padded, as they were there; the answers are not compared
here (tests do that), only the time.

The ceiling is the rate of the parts alone, one after the other on inputs that are ready, each with
all cores: pictures from files to pixels, image encoder, keys and values, questions, decoding. The
pictures count, for nobody answers without reading them, both sides read each from its file, and
without a GPU the cores that read are those that answer, so that reading ahead hides nothing. Each
part is timed on batch after batch of the same run, and the median counts. The run is as long as a
small shard: of one or two batches, the last one, which is hardly filled, would be half.

Blip-vqa-tiny ends most answers after one word. Random weights seldom end any, so that full size
takes all of its ten steps of decoding, where real answers take two or three: its ratios are those
of the worst case.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from statistics import median

import numpy as np
import torch
from PIL import Image
from transformers import BlipConfig, BlipForQuestionAnswering

from evaluator.answering.batches import QUESTIONS_PER_IMAGE
from evaluator.answering.replica import Replica
from evaluator.answering.replica_settings import replica_settings
from shared.images.decoding import open_image
from shared.images.source import ImageFolder
from shared.program.clock import stopwatch
from shared.records import Question
from shared.vqa.blip.answerer import BlipAnswerer
from shared.vqa.blip.config import token_ids
from shared.vqa.blip.text import token_lists
from shared.vqa.blip.towers import (
    decode,
    image_features,
    image_keys_and_values,
    pack,
    question_states,
)
from shared.vqa.inputs.instruction import MAX_NEW_TOKENS
from shared.vqa.inputs.preprocessing import pixel_values
from shared.vqa.loaded import LoadedModel
from shared.vqa.loading import load_blip
from shared.vqa.names.embedded import EMBEDDED_MODEL
from shared.vqa.quantization import Quantization
from tests.bench.measure import Comparison, compare

WORDS = ("color", "shape", "main material", "type", "style of the sole", "number of legs")
BATCH = 64
REPORT_BATCH = 2
QUESTIONS = 600
PARTS = ("pictures", "images", "keys and values", "questions", "decoding")


def bench_answers(folder: Path) -> Iterator[Comparison]:
    """Blip-vqa-tiny in float32."""
    model = load_blip(EMBEDDED_MODEL, quantization=Quantization.NONE)
    for per_image in (5, 10):
        images = make_pictures(folder / f"tiny-{per_image}", QUESTIONS // per_image, side=256)
        for batch in (REPORT_BATCH, BATCH):
            yield _compare("blip-vqa-tiny", model, images, per_image, batch)


def bench_full_size(folder: Path) -> Iterator[Comparison]:
    """A BLIP of the size of blip-vqa-base with random weights, in float32; 60 rows, or 20."""
    model = load_blip(str(full_size_model(folder / "full-model")), quantization=Quantization.NONE)
    for per_image in (5, 10):
        for batch, count in ((REPORT_BATCH, 20), (BATCH, 60)):
            name = folder / f"full-{per_image}-{batch}"
            images = make_pictures(name, count // per_image, side=384)
            yield _compare("BLIP, full size", model, images, per_image, batch, rounds=1)


def _compare(
    what: str, model: LoadedModel, images: Path, per_image: int, batch: int, rounds: int = 3
) -> Comparison:
    names = sorted(path.name for path in images.iterdir())
    questions = [
        Question(f"{name}-{i}", f"what is the {WORDS[i % len(WORDS)]} of item {i}", name)
        for name in names
        for i in range(per_image)
    ]
    settings = replica_settings(model.name, None, "none", images, batch_size=BATCH)
    replica = Replica(settings, answerer=BlipAnswerer(model))
    compared = compare(
        f"{what}, {per_image} questions an image; loop in batches of {batch}",
        "questions/s",
        len(questions),
        lambda: _report_loop(model, images, questions, batch),
        lambda: replica.answer(questions),
        rounds,
    )
    starts = range(0, max(1, len(questions) - BATCH + 1), BATCH)
    measured = [_parts(model, images, questions[start : start + BATCH]) for start in starts]
    parts = {name: median(times[name] for times in measured) for name in measured[0]}
    return replace(compared, parts=parts, work=1)


@torch.inference_mode()
def _parts(model: LoadedModel, images: Path, questions: list[Question]) -> dict[str, float]:
    """Return seconds per question of each part alone, measured on one batch."""
    answerer = BlipAnswerer(model)
    names = list(dict.fromkeys(question.filename for question in questions))
    names = names[: BATCH // QUESTIONS_PER_IMAGE]
    asked = [question for question in questions if question.filename in names]
    texts = model.asked([question.text for question in asked])
    rows = token_lists(model.tokenizer, texts, 128)
    packed = pack(rows, [names.index(question.filename) for question in asked], model.device)
    with ThreadPoolExecutor(ImageFolder.reads_at_once) as threads:
        times = [stopwatch()]
        read = threads.map(lambda name: answerer.prepare(open_image(images / name)), names)
        pixels = torch.cat(list(read))
        times.append(stopwatch())
    features = image_features(model.blip, pixels)
    times.append(stopwatch())
    layers = image_keys_and_values(model.blip, features)
    times.append(stopwatch())
    states = question_states(model.blip, layers, packed)
    times.append(stopwatch())
    decode(model.blip, states, packed.mask_BT, token_ids(model.blip.config), MAX_NEW_TOKENS)
    times.append(stopwatch())
    return {
        name: (end - start) / len(asked)
        for name, (start, end) in zip(PARTS, pairwise(times), strict=True)
    }


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
        asked = model.asked([row.text for row in rows])
        tokens = model.tokenizer(asked, padding=True, return_tensors="pt")
        said = model.blip.generate(
            input_ids=tokens["input_ids"],
            attention_mask=tokens["attention_mask"],
            pixel_values=pixels,
            max_new_tokens=MAX_NEW_TOKENS,
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
    """Save BLIP with blip-vqa-base's sizes; blip-vqa-tiny's words are the first of its 30,524."""
    tiny = load_blip(EMBEDDED_MODEL, quantization=Quantization.NONE)
    config = BlipConfig()
    text = tiny.blip.config.text_config
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
