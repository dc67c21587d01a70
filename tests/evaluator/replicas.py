"""Settings and data for the tests of those who answer."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from evaluator.answering.fleet import Heard, LocalFleet, ShardAnswers, heard_by_nobody
from evaluator.answering.messages import Reply
from evaluator.answering.replica import Replica
from evaluator.answering.replica_settings import ReplicaSettings, replica_settings
from evaluator.answering.shards import Shard
from evaluator.metrics.registry import METRICS
from evaluator.metrics.text_models.loaded import TextModels
from evaluator.runs.record import EvaluationRecord
from evaluator.runs.run import Evaluation
from shared.records import QAPair, Question

SHARD_COST = 30.0
"""Five images with two questions each make a shard."""


def settings_for(model: Path, images: Path, **changes: object) -> ReplicaSettings:
    """Return settings of a replica in float32."""
    values = {"adapter": None, "quantization": "none", "batch_size": 16} | changes
    return replica_settings(str(model), images=images, **values)


def evaluation_of(pairs: Sequence[QAPair], **facts: object) -> Evaluation:
    """Return what to evaluate, scored by exact match alone."""
    return Evaluation(
        pairs,
        [],
        EvaluationRecord(**({"model": "tiny", "adapter": ""} | facts)),
        (METRICS["exact_match"],),
        shard_cost=SHARD_COST,
    )


def no_text_models() -> TextModels:
    """Exact match needs none."""
    return TextModels()


class CountingFleet(LocalFleet):
    """Remembers which shards it was asked for."""

    def __init__(self, settings: ReplicaSettings) -> None:
        super().__init__(Replica(settings))
        self.asked: list[int] = []

    def answered_shards(
        self, shards: Sequence[Shard], heard: Heard = heard_by_nobody
    ) -> Iterator[ShardAnswers]:
        self.asked.extend(shard.index for shard in shards)
        yield from super().answered_shards(shards, heard)


class DeadlyReplica(Replica):
    """Dies of one image each time, and leaves a mark beside it for each death."""

    def __init__(self, settings: ReplicaSettings) -> None:
        super().__init__(settings)
        self._folder = Path(settings.images)

    def answer(self, questions: Sequence[Question]) -> list[Reply]:
        if "deadly.png" in {question.filename for question in questions}:
            (self._folder / f"death-{os.getpid()}").touch()
            os._exit(1)
        return super().answer(questions)
