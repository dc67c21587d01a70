"""Answers by the loop of the harnesses, or by ours, and prints the most megabytes it held.

python -m tests.bench.chat_memory loop|ours MODEL IMAGES
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from evaluator.answering.replica import Replica
from evaluator.answering.replica_settings import replica_settings
from shared.program.process.peak_memory import peak_bytes
from shared.vqa.chat.answerer import ChatAnswerer
from shared.vqa.chat.processor import open_processor
from shared.vqa.families import load_answerer
from shared.vqa.quantization import Quantization
from tests.bench.chat import harness_loop, questions


def _loop(answerer: ChatAnswerer, images: Path) -> None:
    processor = open_processor(answerer.model.name, answerer.model.network.config)
    harness_loop(answerer, processor, images, questions(images, 1), 1)


def _ours(answerer: ChatAnswerer, images: Path) -> None:
    settings = replica_settings(answerer.model.name, None, "none", images, batch_size=64)
    Replica(settings, answerer=answerer).answer(questions(images, 10))


WAYS: Final[dict[str, Callable[[ChatAnswerer, Path], None]]] = {"loop": _loop, "ours": _ours}

if __name__ == "__main__":
    way, model, folder = sys.argv[1:]
    loaded = load_answerer(model, quantization=Quantization.NONE)
    assert isinstance(loaded, ChatAnswerer)
    WAYS[way](loaded, Path(folder))
    print(peak_bytes() / 2**20)
