"""Answers by the loop of the harnesses, or by ours, and prints the most megabytes it held.

python -m tests.bench.chat_memory loop-of-1|loop-of-8|ours MODEL IMAGES

Eight questions are asked by the loop, in batches of one or all together, and twenty by ours.
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
from tests.bench.chat import LOOPS, harness_loop, loop_of, questions


def _loop(batch: int, answerer: ChatAnswerer, images: Path) -> None:
    processor = open_processor(answerer.model.name, answerer.model.network.config)
    harness_loop(answerer, processor, images, questions(images, 4), batch)


def _ours(answerer: ChatAnswerer, images: Path) -> None:
    settings = replica_settings(answerer.model.name, None, "none", images, batch_size=64)
    Replica(settings, answerer=answerer).answer(questions(images, 10))


WAYS: Final[dict[str, Callable[[ChatAnswerer, Path], None]]] = {
    **{loop_of(batch): partial(_loop, batch) for batch in LOOPS},
    "ours": _ours,
}

if __name__ == "__main__":
    way, model, folder = sys.argv[1:]
    loaded = load_answerer(model, quantization=Quantization.NONE)
    assert isinstance(loaded, ChatAnswerer)
    WAYS[way](loaded, Path(folder))
    print(peak_bytes() / 2**20)
