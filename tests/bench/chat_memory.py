"""Answers by the loop of the harnesses, or by ours, and prints the most megabytes it held.

python -m tests.bench.chat_memory loop-of-1|loop-of-8|ours-with-60|ours-with-20 MODEL IMAGES

The loop asks eight questions, in batches of one or all together; ours asks ten about each of the
first pictures, all together.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from evaluator.answering.replica import Replica
from evaluator.answering.replica_settings import replica_settings
from shared.program.process.peak_memory import peak_bytes
from shared.vqa.chat.answerer import ChatAnswerer
from shared.vqa.chat.processor import open_processor
from shared.vqa.families import load_answerer
from shared.vqa.quantization import Quantization
from tests.bench.chat import BATCHES, LOOPS, harness_loop, loop_of, ours_with, questions


def _loop(batch: int, answerer: ChatAnswerer, images: Path) -> None:
    processor = open_processor(answerer.model.name, answerer.model.network.config)
    harness_loop(answerer, processor, images, questions(images, 4)[:8], batch)


def _ours(together: int, answerer: ChatAnswerer, images: Path) -> None:
    settings = replica_settings(answerer.model.name, None, "none", images, batch_size=64)
    Replica(settings, answerer=answerer).answer(questions(images, 10)[:together])


WAYS: Final[dict[str, Callable[[ChatAnswerer, Path], None]]] = {
    **{loop_of(batch): partial(_loop, batch) for batch in LOOPS},
    **{ours_with(together): partial(_ours, together) for together in BATCHES},
}

if __name__ == "__main__":
    way, model, folder = sys.argv[1:]
    loaded = load_answerer(model, quantization=Quantization.NONE)
    assert isinstance(loaded, ChatAnswerer)
    WAYS[way](loaded, Path(folder))
    print(peak_bytes() / 2**20)
