"""What Ray gives and what it costs: two replicas against one, and the handing over of a shard.

Each replica has one core and one thread; without being held to its core, one replica would decode
images on the other core meanwhile. What is timed is the answering of a run that is cut as users'
runs are, by replicas that have loaded their model: Ray's start and the loading are not in it. What
keeps two from being twice one is Ray's own processes and the driver, 0.04 of a core by CPU time
(one replica leaves them the other core), 2 to 3 ms between two shards, what two cores take from
each other, and at the end one shard at most, for which the other waits. The ceiling is what two
processes reach in the same turns that know of no Ray, each with half of the shards: what two cores
take from each other is in it.

The reference of the hand-over is the time that the same shard takes a replica, so that its ratio
is how many shards could be handed over meanwhile: more than 33 means that Ray costs less than 3 %.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Self

from evaluator.answering.ray_fleet import RayFleet
from evaluator.answering.replica import Replica
from evaluator.answering.replica_settings import ReplicaSettings, replica_settings
from evaluator.answering.shards import Shard, cut_shards
from shared.cluster.ray_cluster import ReplicaShare, connect_ray, leave_ray
from shared.program.clock import stopwatch
from shared.records import Question
from shared.vqa.names.embedded import EMBEDDED_MODEL
from tests.bench.inference import WORDS, make_pictures
from tests.bench.measure import Comparison, compare
from tests.evaluator.scripted_replica import ScriptedReplica

IMAGES, PER_IMAGE = 1_680, 5
"""As many as a user's test split has: the shard that the other waits for is then one of 64."""
TURNS = 5
"""Each is one replica, two, and two processes, one after the other. The turn with the middle ratio
counts: a machine's speed changes from one turn to the next more than within one."""
ONE_CORE = ReplicaShare(num_cpus=1, num_gpus=0.0)


class OneCoreReplica(Replica):
    """Takes the first core that none of its fleet has, and stays there."""

    def __init__(self, settings: ReplicaSettings, taken: Path) -> None:
        for core in sorted(os.sched_getaffinity(0)):
            try:
                (taken / f"core-{core}").touch(exist_ok=False)
            except FileExistsError:
                continue
            os.sched_setaffinity(0, {core})
            break
        super().__init__(settings)


class PlainFleet:
    """Replicas in processes of their own, without Ray; each has an equal part of the shards."""

    def __init__(self, settings: ReplicaSettings, taken: Path, replicas: int) -> None:
        taken.mkdir()
        self._stack = ExitStack()
        self._lines = [self._started(settings, taken) for _ in range(replicas)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def answer(self, shards: Sequence[Shard]) -> None:
        """Return once all are answered."""
        for number, line in enumerate(self._lines):
            line.send(shards[number :: len(self._lines)])
        for line in self._lines:
            line.recv()

    def _started(self, settings: ReplicaSettings, taken: Path) -> Connection:
        spawning = multiprocessing.get_context("spawn")
        ours, its = spawning.Pipe()
        process = spawning.Process(target=_answer_all, args=(its, settings, taken))
        process.start()
        # In turn from the last: a replica ends when its line does.
        self._stack.callback(process.join)
        self._stack.callback(ours.close)
        its.close()
        return ours


def _answer_all(line: Connection, settings: ReplicaSettings, taken: Path) -> None:
    replica = OneCoreReplica(settings, taken)
    while True:
        try:
            shards: Sequence[Shard] = line.recv()
        except EOFError:
            return
        for shard in shards:
            replica.answer(shard.questions)
        line.send(len(shards))


def bench_fleet(folder: Path) -> list[Comparison]:
    """Blip-vqa-tiny in float32, 8,400 questions in shards as `evaluator run` cuts them."""
    images = make_pictures(folder / "fleet", IMAGES, side=256)
    questions = [
        Question(f"{name}-{i}", f"what is the {WORDS[i]} of the item", name)
        for name in sorted(path.name for path in images.iterdir())
        for i in range(PER_IMAGE)
    ]
    shards = cut_shards(questions)
    settings = replica_settings(EMBEDDED_MODEL, None, "none", images, batch_size=64)
    # The replicas inherit it; with more threads one replica would use both cores.
    os.environ["OMP_NUM_THREADS"] = "1"
    connect_ray(None, 4, "fleet")
    try:
        with PlainFleet(settings, folder / "cores-without-ray", 2) as plain:
            plain.answer(shards[:2])
            turns = [
                _turn(settings, folder / f"turn-{turn}", plain, shards) for turn in range(TURNS)
            ]
        handing_over = _handing_over(settings, folder, shards)
    finally:
        leave_ray()
    one, two, without_ray = sorted(turns, key=lambda taken: taken[0] / taken[1])[TURNS // 2]
    two_of_ray = Comparison(
        "two replicas on Ray against one",
        "questions/s",
        len(questions) / one,
        len(questions) / two,
        {"the processes themselves": without_ray},
        len(questions),
    )
    return [two_of_ray, handing_over]


def _turn(
    settings: ReplicaSettings, folder: Path, plain: PlainFleet, shards: Sequence[Shard]
) -> tuple[float, float, float]:
    """Return the seconds of one replica on Ray, of two, and of two processes without Ray.

    A fleet lives for its own time alone: replicas of another, though idle, would take their part.
    """
    folder.mkdir()
    one, two = (
        _seconds_on_ray(settings, folder / f"cores-of-{count}", count, shards) for count in (1, 2)
    )
    return one, two, _seconds_of(lambda: plain.answer(shards))


def _seconds_on_ray(
    settings: ReplicaSettings, taken: Path, replicas: int, shards: Sequence[Shard]
) -> float:
    fleet = _fleet(settings, taken, replicas)
    _warm_up(fleet, shards[0])
    return _seconds_of(lambda: list(fleet.answered_shards(shards)))


def _handing_over(settings: ReplicaSettings, folder: Path, shards: Sequence[Shard]) -> Comparison:
    one = _fleet(settings, folder / "cores-of-one", 1)
    bare = RayFleet(ScriptedReplica, [folder], 1, ONE_CORE)
    for fleet in (one, bare):
        _warm_up(fleet, shards[0])
    return compare(
        "handing over a shard on Ray against answering it",
        "shards/s",
        len(shards),
        lambda: list(one.answered_shards(shards)),
        lambda: list(bare.answered_shards(shards)),
    )


def _seconds_of(run: Callable[[], object]) -> float:
    started = stopwatch()
    run()
    return stopwatch() - started


def _fleet(settings: ReplicaSettings, taken: Path, replicas: int) -> RayFleet:
    taken.mkdir()
    return RayFleet(OneCoreReplica, [settings, taken], replicas, ONE_CORE)


def _warm_up(fleet: RayFleet, shard: Shard) -> None:
    """Give every replica something to do once."""
    while fleet.ready < fleet.replicas:
        list(fleet.answered_shards([shard]))
