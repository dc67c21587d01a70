"""Whoever answers shards, as the driver sees them: it cannot tell who they are.

``ray_fleet`` has replicas on a Ray cluster, ``evaluator.endpoints`` a model behind an address; here
is one replica in this process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from evaluator.answering.messages import AdapterEffect, Answering, ModelFacts, Reply
from evaluator.answering.shards import Shard
from shared.records import Question

Heard = Callable[[int], None]
"""Is told, each time some are answered, how many questions more are."""


def heard_by_nobody(_: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True)
class ShardAnswers:
    """All replies to a shard; ``None`` where it was given up for ``reason``."""

    shard: Shard
    replies: Sequence[Reply] | None
    reason: str = ""


class Fleet(Protocol):
    """Whatever answers shards; ``replicas`` is how many at once, which are ``called`` so."""

    replicas: int
    called: str

    @property
    def ready(self) -> int:
        """Return how many replicas have loaded their model and are alive."""
        ...

    def facts(self) -> ModelFacts:
        """Return which model the replicas hold."""
        ...

    def adapter_effect(self, questions: Sequence[Question]) -> AdapterEffect:
        """Return how many of these answers the adapter changes."""
        ...

    def answered_shards(
        self, shards: Sequence[Shard], heard: Heard = heard_by_nobody
    ) -> Iterator[ShardAnswers]:
        """Yield each shard once, in the order in which they are finished."""
        ...


class LocalFleet:
    """One replica in this process, without Ray."""

    replicas = 1
    called = "replicas"

    def __init__(self, replica: Answering) -> None:
        self._replica = replica

    @property
    def ready(self) -> int:
        """Return 1."""
        return 1

    def facts(self) -> ModelFacts:
        """Return which model the replica holds."""
        return self._replica.facts()

    def adapter_effect(self, questions: Sequence[Question]) -> AdapterEffect:
        """Return how many of these answers the adapter changes."""
        return self._replica.adapter_effect(questions)

    def answered_shards(
        self, shards: Sequence[Shard], heard: Heard = heard_by_nobody
    ) -> Iterator[ShardAnswers]:
        """Answer shard after shard."""
        for shard in shards:
            replies = self._replica.answer(shard.questions)
            heard(len(replies))
            yield ShardAnswers(shard, replies)
