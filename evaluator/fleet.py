"""Replicas at work: Ray actors that pull shards, or one replica in this process.

The driver sees ``answered_shards`` alone and cannot tell which. A shard whose actor dies goes back
into the queue and a new actor takes the dead one's place; a shard that has killed
``MAX_TRIES`` actors is given up, and the others go on.
"""

from __future__ import annotations

import math
import os
import socket
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import ray
import structlog
from ray.exceptions import RayActorError, RayError

from evaluator.replica import AdapterEffect, ModelFacts, Replica, ReplicaSettings, Reply
from evaluator.shards import Shard
from shared.errors import AboVqaError, InputError
from shared.records import Question

log = structlog.get_logger(__name__)

MAX_TRIES: Final = 3
_QUIET: Final[Mapping[str, Any]] = {"logging_level": "ERROR", "log_to_driver": False}
OBJECT_STORE_BYTES: Final = 200 * 2**20
"""Enough for what crosses the store here: file names in, rows of text out."""
CONNECT_TIMEOUT_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class ShardAnswers:
    """All replies to a shard; ``None`` where it was given up."""

    shard: Shard
    replies: Sequence[Reply] | None


class Fleet(Protocol):
    """Whatever answers shards."""

    def facts(self) -> ModelFacts:
        """Return which model the replicas hold."""
        ...

    def adapter_effect(self, questions: Sequence[Question]) -> AdapterEffect:
        """Return how many of these answers the adapter changes."""
        ...

    def answered_shards(self, shards: Sequence[Shard]) -> Iterator[ShardAnswers]:
        """Yield each shard once, in the order in which they are finished."""
        ...


class LocalFleet:
    """One replica in this process, without Ray."""

    def __init__(self, settings: ReplicaSettings) -> None:
        self._replica = Replica(settings)

    def facts(self) -> ModelFacts:
        """Return which model the replica holds."""
        return self._replica.facts()

    def adapter_effect(self, questions: Sequence[Question]) -> AdapterEffect:
        """Return how many of these answers the adapter changes."""
        return self._replica.adapter_effect(questions)

    def answered_shards(self, shards: Sequence[Shard]) -> Iterator[ShardAnswers]:
        """Answer shard after shard."""
        for shard in shards:
            yield ShardAnswers(shard, self._replica.answer(shard.questions))


class RayFleet:
    """``replicas`` actors, each with its own model; one shard in flight on each.

    ``kind`` is the class that each actor is one of.
    """

    def __init__(
        self, settings: ReplicaSettings, replicas: int, kind: type[Replica] = Replica
    ) -> None:
        options = _resources_per_replica(replicas)
        self._new_actor = ray.remote(kind).options(max_restarts=0, **options)
        self._settings = settings
        self._actors = [self._new_actor.remote(settings) for _ in range(replicas)]

    def facts(self) -> ModelFacts:
        """Return which model the replicas hold; waits until the first has loaded it.

        Raises:
            AboVqaError: the replica could not load it, for the reason that this process gets too.
        """
        facts: ModelFacts = _result(self._actors[0].facts.remote())
        return facts

    def adapter_effect(self, questions: Sequence[Question]) -> AdapterEffect:
        """Return how many of these answers the adapter changes."""
        effect: AdapterEffect = _result(self._actors[0].adapter_effect.remote(questions))
        return effect

    def answered_shards(self, shards: Sequence[Shard]) -> Iterator[ShardAnswers]:
        """Hand shards to idle actors and yield them as they come back."""
        todo, idle = deque(shards), deque(self._actors)
        tries = {shard.index: 0 for shard in shards}
        running: dict[Any, tuple[Shard, Any]] = {}
        while todo or running:
            while todo and idle:
                shard, actor = todo.popleft(), idle.popleft()
                tries[shard.index] += 1
                running[actor.answer.remote(shard.questions)] = shard, actor
            [done], _ = ray.wait(list(running))
            shard, actor = running.pop(done)
            try:
                replies = ray.get(done)
            except RayActorError as error:
                idle.append(self._replace(actor))
                if tries[shard.index] < MAX_TRIES:
                    log.warning("replica died; its shard goes to another", shard=shard.index)
                    todo.append(shard)
                    continue
                log.warning(
                    "shard given up", shard=shard.index, tries=MAX_TRIES, reason=_first_line(error)
                )
                yield ShardAnswers(shard, None)
            else:
                idle.append(actor)
                yield ShardAnswers(shard, replies)

    def _replace(self, dead: Any) -> Any:  # noqa: ANN401 (Ray's handles have no type)
        fresh = self._new_actor.remote(self._settings)
        self._actors[self._actors.index(dead)] = fresh
        return fresh


def connect_ray(address: str | None, replicas: int) -> None:
    """Start Ray on this machine, or join the cluster at ``address`` or in ``RAY_ADDRESS``.

    Raises:
        InputError: no cluster answers there.
        AboVqaError: Ray does not start on this machine.
    """
    joined = address or os.environ.get("RAY_ADDRESS")
    if not joined:
        _start_ray_here(replicas)
        return
    try:
        _require_listener(joined)
        ray.init(address=joined, **_QUIET)
    except (OSError, ValueError, RuntimeError) as error:
        raise InputError(
            f"--address {joined}: no Ray cluster answers there "
            f"({_first_line(error)}); leave it out to run on this machine"
        ) from error


def _start_ray_here(replicas: int) -> None:
    try:
        ray.init(
            num_cpus=max(replicas, os.cpu_count() or 1),
            include_dashboard=False,
            object_store_memory=OBJECT_STORE_BYTES,
            **_QUIET,
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise AboVqaError(f"Ray did not start on this machine: {_first_line(error)}") from error


def _require_listener(address: str) -> None:
    """Raise ``OSError`` where nobody listens: Ray would try for minutes, then end the process."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host, int(port)), CONNECT_TIMEOUT_S).close()


def _resources_per_replica(replicas: int) -> Mapping[str, Any]:
    """Share what the cluster has: several 4-bit replicas fit on one card."""
    total = ray.cluster_resources()
    cpus = max(1, int(total.get("CPU", 1)) // replicas)
    share = min(1.0, total.get("GPU", 0.0) / replicas)
    # Rounded down, or the last replica would wait for a sliver of a card for ever.
    return {"num_cpus": cpus, "num_gpus": math.floor(share * 10_000) / 10_000}


def _result(reference: Any) -> Any:  # noqa: ANN401 (Ray's references have no type)
    try:
        return ray.get(reference)
    except RayActorError as error:
        cause = getattr(error, "cause", None)
        raise AboVqaError(f"a replica could not start: {_first_line(error)}") from (cause or error)
    except RayError as error:
        raise AboVqaError(f"a replica failed: {_first_line(error)}") from error


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[-1].strip() if lines else type(error).__name__
