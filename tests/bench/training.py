"""Examples per second of fine-tuning: ours, against the loop of the report.

The report's loop decodes and encodes the image of every row anew, with gradient checkpointing on.
Both train the same LoRA weights on the same batches with the same loss, and must show the same loss
curve; ours pays for encoding its images once within the time.
"""

from __future__ import annotations

from itertools import count
from pathlib import Path

import torch
from torch.nn.utils import clip_grad_norm_

from shared.images.decoding import open_image
from shared.records import QAPair, pair_id
from shared.vqa.blip.config import token_ids
from shared.vqa.blip.forward import answer_loss_sum, answer_token_count, encode_images
from shared.vqa.blip.text import answer_batch, question_batch
from shared.vqa.inputs.preprocessing import pixel_values
from shared.vqa.names.embedded import EMBEDDED_MODEL
from shared.vqa.quantization import Quantization
from tests.bench.inference import WORDS, full_size_model, make_pictures
from tests.bench.measure import Comparison, compare
from trainer.data.batches import Batches
from trainer.data.features import StoredFeatures
from trainer.fitting.adapter import NewAdapter, add_adapter
from trainer.fitting.lessons import PairLessons
from trainer.learners.families import load_learner
from trainer.recipe.recipe import LoraRecipe
from trainer.recipe.schedule import Schedule
from trainer.training.loop import Optimization, new_optimizer, train

PER_IMAGE, EPOCHS, BATCH = 5, 3, 8
RATE = 1e-3
MAX_TOKENS = 128
LOSS_TOLERANCE = 1e-3
"""Stored features are float16, which moves no loss of 75 steps by more than 2e-5 of it; features
computed anew move none by more than 1e-6."""


def bench_fit(folder: Path) -> list[Comparison]:
    """Blip-vqa-tiny in float32: 5 questions an image, 3 epochs, batches of 8."""
    return [_compare("fine-tuning blip-vqa-tiny", EMBEDDED_MODEL, folder / "fit", images=40)]


def bench_fit_full_size(folder: Path) -> list[Comparison]:
    """A BLIP of the size of blip-vqa-base with random weights, in float32."""
    source = full_size_model(folder / "fit-full-model")
    return [_compare("fine-tuning BLIP, full size", str(source), folder / "fit-full", images=2)]


def _compare(what: str, source: str, folder: Path, images: int) -> Comparison:
    pictures = make_pictures(folder / "pictures", images, side=384)
    pairs = [
        QAPair(pair_id(path.name, word), f"what is the {word}", word.split()[-1], path.name)
        for path in sorted(pictures.iterdir())
        for word in WORDS[:PER_IMAGE]
    ]
    curves: dict[str, list[float]] = {}
    store = (folder / f"store-{number}" for number in count())

    def reference() -> None:
        curves["reference"] = _report_loop(_with_adapter(source), pairs, pictures)

    def ours() -> None:
        curves["ours"] = _our_loop(_with_adapter(source), pairs, pictures, next(store))

    done = compare(
        f"{what}, {PER_IMAGE} questions an image, {EPOCHS} epochs",
        "examples/s",
        len(pairs) * EPOCHS,
        reference,
        ours,
        rounds=1,
    )
    pair = zip(curves["reference"], curves["ours"], strict=True)
    worst = max(abs(theirs - mine) / theirs for theirs, mine in pair)
    assert worst < LOSS_TOLERANCE, f"{what}: the loss curves differ by {worst:.2%}"
    return done


def _with_adapter(source: str) -> NewAdapter:
    """Put a new adapter on the base, the same one each time."""
    learner = load_learner(source, quantization=Quantization.NONE)
    torch.manual_seed(0)
    # Dropout would draw other numbers in the two loops: the adapter's, and the base's own, which
    # blip-vqa-tiny has where blip-vqa-base has none.
    adapter = add_adapter(learner, LoraRecipe(dropout=0))
    for module in adapter.peft.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    return adapter


def _settings(batches: Batches) -> Optimization:
    return Optimization(
        learning_rate=RATE,
        schedule=Schedule.LINEAR,
        weight_decay=0.01,
        warmup_steps=2,
        total_steps=EPOCHS * batches.steps_per_epoch,
        max_grad_norm=1.0,
        seed=0,
    )


def _our_loop(adapter: NewAdapter, pairs: list[QAPair], pictures: Path, store: Path) -> list[float]:
    batches = Batches(pairs, BATCH, accumulation=1, seed=0)
    features = StoredFeatures(adapter.learner, pictures, [pair.filename for pair in pairs], store)
    settings = _settings(batches)
    steps = train(
        adapter.peft,
        new_optimizer(adapter.peft, settings),
        PairLessons(adapter.learner, features, batches),
        settings,
        first_step=0,
    )
    return [report.loss for report in steps]


def _report_loop(adapter: NewAdapter, pairs: list[QAPair], pictures: Path) -> list[float]:
    model = adapter.learner.model
    blip, ids = model.blip, token_ids(model.blip.config)
    adapter.learner.checkpoint_activations()
    batches = Batches(pairs, BATCH, accumulation=1, seed=0)
    settings = _settings(batches)
    optimizer = new_optimizer(adapter.peft, settings)
    weights = [p for p in adapter.peft.parameters() if p.requires_grad]
    losses = []
    for step in range(settings.total_steps):
        optimizer.param_groups[0]["lr"] = settings.rate(step)
        adapter.peft.train()
        [rows] = batches.micro_batches(step)
        pixels_BCHW = pixel_values(
            model.image_processor, [open_image(pictures / row.filename) for row in rows]
        )
        questions = model.asked([row.question for row in rows])
        answers = answer_batch(model.tokenizer, [row.answer for row in rows], ids, MAX_TOKENS)
        loss = answer_loss_sum(
            blip,
            encode_images(blip, pixels_BCHW),
            question_batch(model.tokenizer, questions, ids, MAX_TOKENS),
            answers,
        ) / answer_token_count(answers)
        loss.backward()
        clip_grad_norm_(weights, settings.max_grad_norm)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(loss.detach()))
    return losses
