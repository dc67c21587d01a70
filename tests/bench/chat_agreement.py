"""How often a chat model's answer differs from its own ``generate`` on each question alone.

    python -m tests.bench.chat_agreement [QUESTIONS]

Each architecture is asked so many questions (48 by default) about four pictures of three shapes, in
float32, in bfloat16 and in 4 bit, computed in float32 as on every CPU. Weights are random, so that
any two tokens may be near a tie, which a sum that is rounded otherwise turns: trained models differ
less often.
"""

from __future__ import annotations

import sys
from typing import Final

import numpy as np
import torch
from PIL import Image

from shared.vqa.chat.answerer import ChatAnswerer
from shared.vqa.families import load_answerer
from shared.vqa.inputs.instruction import Instruction
from shared.vqa.quantization import Quantization
from tests.bench.inference import WORDS
from tests.chat_models import CHAT_MODELS, chat_model

SHAPES: Final = ((64, 64), (40, 80), (90, 30), (64, 64))
PRECISIONS: Final = ("float32", "bfloat16", "NF4")


def differences(name: str, precision: str, count: int) -> int:
    """Return how many of ``count`` answers differ from those of ``generate``."""
    held = Quantization.NF4 if precision == "NF4" else Quantization.NONE
    answerer = load_answerer(
        str(chat_model(name)), quantization=held, instruction=Instruction("{question}")
    )
    assert isinstance(answerer, ChatAnswerer)
    if precision == "bfloat16":
        answerer.model.network.to(torch.bfloat16)
    noise = np.random.default_rng(0)
    pictures = [
        answerer.prepare(Image.fromarray(noise.integers(0, 255, (*shape, 3), dtype=np.uint8)))
        for shape in SHAPES
    ]
    asked = [
        (at % len(SHAPES), f"what {WORDS[at % len(WORDS)]} is item {at}?") for at in range(count)
    ]
    keeper = answerer.remember(pictures)
    with torch.inference_mode():
        together = keeper.answers([at for at, _ in asked], [text for _, text in asked])
        alone = [keeper.alone(at, text) for at, text in asked]
    return sum(one.tokens != other.tokens for one, other in zip(together, alone, strict=True))


if __name__ == "__main__":
    questions = int(sys.argv[1]) if len(sys.argv) > 1 else 48
    print("model", *PRECISIONS, sep="\t")
    for model in CHAT_MODELS:
        print(model, *(differences(model, each, questions) for each in PRECISIONS), sep="\t")
