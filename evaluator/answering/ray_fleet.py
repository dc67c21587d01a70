"""Replicas at work on a Ray cluster: actors that pull shards.

What crosses Ray's object store is small: file names and questions go out, rows of text come back.

A replica gets its first shard once it has loaded its model, so that none waits for one that finds
no room or does not start. A shard that failed, because its replica died, its node went away or an
answer raised, goes back into the queue; one that has failed ``MAX_TRIES`` times is given up, and
the others go on.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import shared.cluster  # noqa: F401 (before ray, which reads the token's mode when imported)

# isort: split
import ray
from ray.exceptions import RayActorError, RayError, RayTaskError

from evaluator.answering.fleet import Heard, ShardAnswers, heard_by_nobody
from evaluator.answering.messages import AdapterEffect, Answering, ModelFacts
from evaluator.answering.shards import Shard
from shared import errors
from shared.cluster.authentication import unwanted_token_advice
from shared.cluster.ray_cluster import ReplicaShare, last_line
from shared.errors import AboVqaError
from shared.program.reporting.event_log import EventLog
from shared.records import Question

log = EventLog(__name__)

MAX_TRIES: Final = 3
PATIENCE_S: Final = 60.0
"""How long nothing may be ready before the log says what the run waits for."""


class RayFleet:
    """``replicas`` actors, each with its own model; one shard in flight on each.

    Each actor is a ``kind(*arguments)`` that takes ``share`` of the cluster.
    """

    called = "replicas"

    def __init__(
        self,
        kind: Callable[..., Answering],
        arguments: Sequence[object],
        replicas: int,
        share: ReplicaShare,
    ) -> None:
        self._new_actor = ray.remote(kind).options(
            num_cpus=share.num_cpus, num_gpus=share.num_gpus, max_restarts=0, max_task_retries=0
        )
        self.replicas = replicas
        self._arguments = tuple(arguments)
        # Ray's references and handles have no type.
        self._starting: dict[Any, Any] = {}
        self._idle: deque[Any] = deque()
        self._running: dict[Any, tuple[Shard, Any]] = {}
        self._failed_starts = 0
        self._facts: ModelFacts | None = None
        for _ in range(replicas):
            self._start_replica()

    @property
    def ready(self) -> int:
        """Return how many replicas have loaded their model and are alive, as far as is known."""
        return len(self._idle) + len(self._running)

    def facts(self) -> ModelFacts:
        """Return which model the replicas hold; waits until the first has loaded it.

        Raises:
            AboVqaError: no replica can load it.
        """
        while self._facts is None:
            self._settle_start(self._wait())
        return self._facts

    def adapter_effect(self, questions: Sequence[Question]) -> AdapterEffect:
        """Return how many of these answers the adapter changes.

        Raises:
            AboVqaError: the replica that was asked died, or failed to answer.
        """
        self.facts()
        try:
            effect: AdapterEffect = ray.get(self._idle[0].adapter_effect.remote(questions))
        except RayError as error:
            raise AboVqaError(f"a replica failed: {last_line(error)}") from error
        return effect

    def answered_shards(
        self, shards: Sequence[Shard], heard: Heard = heard_by_nobody
    ) -> Iterator[ShardAnswers]:
        """Hand shards to idle replicas and yield them as they come back.

        Raises:
            AboVqaError: no replica is left and no new one starts.
        """
        todo = deque(shards)
        failures: Counter[int] = Counter()
        while True:
            while todo and self._idle:
                self._hand_out(todo.popleft())
            if not todo and not self._running:
                return
            done = self._wait()
            if done in self._starting:
                self._settle_start(done)
                continue
            answers = self._collect(done)
            shard = answers.shard
            if answers.replies is None:
                failures[shard.index] += 1
                if failures[shard.index] < MAX_TRIES:
                    log.warning("shard_goes_to_another", shard=shard.index, reason=answers.reason)
                    todo.append(shard)
                    continue
                log.warning("shard_given_up", shard=shard.index, reason=answers.reason)
            # The replica goes on while the caller writes what it answered.
            if todo and self._idle:
                self._hand_out(todo.popleft())
            heard(len(answers.replies or ()))
            yield answers

    def _start_replica(self) -> None:
        actor = self._new_actor.remote(*self._arguments)
        self._starting[actor.facts.remote()] = actor

    def _hand_out(self, shard: Shard) -> None:
        actor = self._idle.popleft()
        self._running[actor.answer.remote(shard.questions)] = shard, actor

    def _wait(self) -> Any:  # noqa: ANN401 (Ray's references have no type)
        while True:
            done, _ = ray.wait([*self._running, *self._starting], timeout=PATIENCE_S)
            if done:
                return done[0]
            if not self.ready:
                log.warning("no_replica_ready_yet", starting=len(self._starting))

    def _settle_start(self, done: Any) -> None:  # noqa: ANN401
        actor = self._starting.pop(done)
        try:
            facts: ModelFacts = ray.get(done)
        except RayError as error:
            self._start_failed(error)
            return
        self._failed_starts = 0
        self._facts = self._facts or facts
        if facts != self._facts:
            raise AboVqaError(f"replicas hold different models: {self._facts} and {facts}")
        self._idle.append(actor)

    def _start_failed(self, error: RayError) -> None:
        """Start another, or go on with those that are there, or give up."""
        self._failed_starts += 1
        # What the model's loading raised, it would raise again.
        raised = isinstance(error, RayTaskError) or getattr(error, "actor_init_failed", False)
        if not raised and self._failed_starts < MAX_TRIES:
            self._start_replica()
            return
        if not self.ready and not self._starting:
            raise _why_none_starts(last_line(error)) from error
        log.warning("replica_not_started", going_on_with=self.ready, reason=last_line(error))

    def _collect(self, done: Any) -> ShardAnswers:  # noqa: ANN401
        shard, actor = self._running.pop(done)
        try:
            replies = ray.get(done)
        except RayTaskError as error:
            self._idle.append(actor)
            return ShardAnswers(shard, None, last_line(error))
        except RayError as error:
            # Dead, or out of reach: what it might still say is not waited for.
            ray.kill(actor)
            self._start_replica()
            kind = (
                "its replica died" if isinstance(error, RayActorError) else "its answers are lost"
            )
            return ShardAnswers(shard, None, f"{kind}: {last_line(error)}")
        self._idle.append(actor)
        return ShardAnswers(shard, replies)


def _why_none_starts(reason: str) -> AboVqaError:
    """Return the error that ends a run, of the kind that the model's loading raised.

    What an actor raises as it starts arrives as text alone, ``module.Name: message``.
    """
    name, _, message = reason.partition(": ")
    kind = getattr(errors, name.removeprefix(f"{errors.__name__}."), None)
    advice = unwanted_token_advice(reason)
    said = message if kind else reason
    text = f"no replica could start: {said.rstrip('.') + advice if advice else said}"
    bad_input = kind is not None and kind.exit_code == errors.EXIT_BAD_INPUT
    return errors.InputError(text) if bad_input else AboVqaError(text)
