"""Small models of the families that are trained beside BLIP, and what they learn from."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from shared.records import QAPair, pair_id
from shared.vqa.families import load_answerer
from shared.vqa.quantization import Quantization
from tests.families import save_blip2_opt, save_blip2_t5, save_vilt
from tests.models import ANSWERS, QUESTIONS
from trainer.learners.families import learner_of
from trainer.learners.learner import Learner, TokenLimits

SAVED: dict[str, Callable[[Path], Path]] = {
    "vilt": save_vilt,
    # Like the published ones, OPT ends an answer with a new line.
    "blip2-opt": partial(save_blip2_opt, end="Ċ"),
    "blip2-t5": partial(save_blip2_t5, end="</s>"),
}
TARGETS = {
    "vilt": ("query", "key", "value", "dense", "classifier.0", "classifier.3"),
    "blip2-opt": ("q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"),
    "blip2-t5": ("q", "k", "v", "o", "wi", "wo", "language_projection"),
}


def load_learner(
    folder: Path, quantization: Quantization = Quantization.NONE, adapter: Path | None = None
) -> Learner[Any]:
    """Load a model on the CPU with what trains it."""
    answerer = load_answerer(
        str(folder), adapter=adapter, quantization=quantization, device=torch.device("cpu")
    )
    return learner_of(answerer, TokenLimits())


def draw_noise(folder: Path) -> list[QAPair]:
    """Draw ten pictures of coarse noise, wide, square and high, and ask one thing about each.

    A random image encoder tells them apart, where it takes two green shapes for one.
    """
    dice = np.random.default_rng(0)
    folder.mkdir(parents=True)
    pairs = []
    for number, answer in enumerate(ANSWERS):
        shape = [(4, 6), (4, 4), (6, 4)][number % 3]
        noise = dice.integers(0, 256, (*shape, 3), dtype=np.uint8)
        size = shape[1] * 10, shape[0] * 10
        name, question = f"{number}.png", QUESTIONS[number % len(QUESTIONS)]
        Image.fromarray(noise).resize(size, Image.Resampling.NEAREST).save(folder / name)
        pairs.append(QAPair(pair_id(name, question), question, answer, name))
    return pairs
