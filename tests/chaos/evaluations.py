"""Evaluations whose replicas, nodes and driver are killed, stopped and put to sleep on two nodes.

The scorecard has to be that of a run that nothing befell, to the byte. Replicas have no model, so
that one starts in a second; with one, ``tests/evaluator/answering/test_fleet_faults.py`` does it.
"""

from __future__ import annotations

import contextlib
import functools
import random
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.util import Finalize
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import psutil
import typer
from ray.cluster_utils import Cluster

from evaluator.answering.fleet import LocalFleet
from evaluator.answering.ray_fleet import RayFleet
from evaluator.runs.run import evaluate
from shared.cluster.ray_cluster import ReplicaShare, connect_ray, leave_ray
from shared.corpus import read_pairs, write_pairs
from shared.program.cli import run_program
from shared.program.clock import SystemClock
from tests.chaos.befalling import UnderFire, differences, left_in
from tests.chaos.forked import Forked
from tests.chaos.report import Told
from tests.evaluator.replicas import evaluation_of, no_text_models
from tests.evaluator.scripted_replica import SlowReplica
from tests.pictures import draw_gallery

IMAGES: Final = 60
REPLICAS: Final = 2
MOST_RUNS: Final = 12
NODE: Final = {"num_cpus": 1, "object_store_memory": 80 * 2**20}
OF_THE_MOMENT: Final = frozenset({"run.lock", "status.json"})

app = typer.Typer()


@app.command()
def run(stage: Path, out: Path, address: str) -> None:
    """Do as ``evaluator run`` does, with replicas that have no model."""
    evaluation = evaluation_of(read_pairs(stage / "pairs.csv"))
    connect_ray(address, REPLICAS, "evaluator")
    try:
        share = ReplicaShare(1, 0.0)
        evaluate(
            evaluation,
            out,
            lambda: RayFleet(SlowReplica, (stage,), REPLICAS, share),
            no_text_models,
            SystemClock(),
        )
    finally:
        leave_ray()


def run_driver(words: list[str]) -> None:
    """Run the command as a program."""
    run_program(app, "evaluator", words)


@dataclass(frozen=True)
class Stage:
    """A cluster, the data, and what a run that nothing befell left."""

    cluster: Cluster
    folder: Path
    left: dict[str, bytes]

    def replicas(self) -> list[psutil.Process]:
        """Return the processes of replicas."""
        session = self.cluster.head_node.get_session_dir_path()
        return list(replicas_of(session))

    def worker(self) -> psutil.Process:
        """Return the process of the node that is not the head."""
        [node] = self.cluster.worker_nodes
        return psutil.Process(node.all_processes["raylet"][0].process.pid)


def replicas_of(session: str) -> Iterator[psutil.Process]:
    """Yield the processes of replicas below the raylets of a session of Ray."""
    for process in psutil.process_iter(["cmdline"]):
        title = " ".join(process.info["cmdline"] or ())
        if title.startswith("ray::") and "Replica" in title:
            parent = process.parent()
            if parent and session in " ".join(parent.cmdline()):
                yield process


@dataclass
class Disturbed(UnderFire):
    """An evaluation under fire."""

    program = "evaluator"
    disk_bytes = (0, 500, 2_000, 5_000)
    longest_s = 180.0

    stage: Stage
    out: Path

    def start(self) -> Forked:
        """Begin it, or go on with it."""
        self.runs += 1
        words = [str(self.stage.folder), str(self.out), self.stage.cluster.address]
        return Forked(run_driver, words)

    def let_it_end(self, process: Forked) -> set[int]:
        """Do nothing."""
        del process
        return {0}

    def shards_done(self) -> int:
        """Return how many shards are answered."""
        return len(list((self.out / "shards").glob("shard-*.parquet")))


async def chaos_of_evaluations(seed: int, folder: Path, listings: int) -> Told:
    """Play a seed; return what was tried and what was lost."""
    del listings
    stage = _stage()
    disturbed = Disturbed(random.Random(seed), stage, folder / "out")
    for _ in range(disturbed.die.randint(1, 3)):
        _disturb(disturbed)
    _to_the_end(disturbed)
    if not disturbed.lost:
        disturbed.lost += differences(stage.left, left_in(disturbed.out, OF_THE_MOMENT))
    figures = {"questions": 2 * IMAGES, "runs": disturbed.runs}
    return Told(seed, "evaluator", disturbed.lost, disturbed.tried, figures)


@functools.cache
def _stage() -> Stage:
    """Make it once for all seeds; it is gone when the process ends."""
    holder = TemporaryDirectory(prefix="abo-vqa-chaos-")
    # Where multiprocessing started this process, it ends without what ``atexit`` knows.
    _LEAVING.append(Finalize(None, holder.cleanup, exitpriority=1))
    folder = Path(holder.name)
    pairs = draw_gallery(folder / "images", IMAGES)
    write_pairs(pairs, folder / "pairs.csv")
    whole = folder / "whole"
    fleet = LocalFleet(SlowReplica(folder))
    evaluate(
        evaluation_of(read_pairs(folder / "pairs.csv")),
        whole,
        lambda: fleet,
        no_text_models,
        SystemClock(),
    )
    cluster = Cluster(initialize_head=True, head_node_args={**NODE, "include_dashboard": False})
    _LEAVING.append(Finalize(None, cluster.shutdown, exitpriority=2))
    cluster.add_node(**NODE)
    return Stage(cluster, folder, left_in(whole, OF_THE_MOMENT))


_LEAVING: Final[list[Finalize]] = []


def leave_stage() -> None:
    """Shut the cluster down, and forget the data, before the process ends."""
    while _LEAVING:
        _LEAVING.pop()()
    _stage.cache_clear()


def _disturb(disturbed: Disturbed) -> None:
    """Start a run and let a few things befall it, the last of them perhaps its driver."""
    die, process = disturbed.die, disturbed.start()
    for _ in range(die.randint(1, 3)):
        wanted = disturbed.shards_done() + die.randint(0, 3)
        process.wait_until(lambda wanted=wanted: disturbed.shards_done() >= wanted)
        disturbed.pause(process, 0.3)
        if not process.is_over:
            die.choice(_OF_REPLICAS_AND_NODES)(disturbed, process)
    befalls = die.choice(
        [
            *(disturbed.let_it_end, disturbed.kill, disturbed.kill, disturbed.stop),
            *(disturbed.stop_twice, disturbed.put_to_sleep, disturbed.fill_disk),
        ]
    )
    disturbed.pause(process, 0.5)
    # A shard that three replicas in a row were killed over is given up.
    disturbed.over(process, befalls(process) | {1})
    if not disturbed.stage.cluster.worker_nodes:
        disturbed.stage.cluster.add_node(**NODE)


def _kill_a_replica(disturbed: Disturbed, process: Forked) -> None:
    process.wait_until(lambda: bool(disturbed.stage.replicas()), 5.0)
    for replica in disturbed.stage.replicas()[: disturbed.die.randint(1, 2)]:
        number = disturbed.die.choice([signal.SIGKILL, signal.SIGTERM])
        disturbed.tried[f"{number.name} to a replica"] += 1
        _send(replica, number)


def _put_a_replica_to_sleep(disturbed: Disturbed, process: Forked) -> None:
    for replica in disturbed.stage.replicas()[:1]:
        disturbed.tried["SIGSTOP to a replica"] += 1
        _send(replica, signal.SIGSTOP)
        disturbed.pause(process, 1.0)
        _send(replica, disturbed.die.choice([signal.SIGCONT, signal.SIGKILL]))


def _kill_a_node(disturbed: Disturbed, process: Forked) -> None:
    disturbed.tried["a node killed"] += 1
    cluster = disturbed.stage.cluster
    for node in list(cluster.worker_nodes):
        cluster.remove_node(node, allow_graceful=False)
    disturbed.pause(process, 1.0)
    if disturbed.die.random() < 0.5:
        cluster.add_node(**NODE)


def _put_a_node_to_sleep(disturbed: Disturbed, process: Forked) -> None:
    if disturbed.stage.cluster.worker_nodes:
        disturbed.tried["SIGSTOP to a node"] += 1
        node = disturbed.stage.worker()
        _send(node, signal.SIGSTOP)
        disturbed.pause(process, 2.0)
        _send(node, signal.SIGCONT)


_OF_REPLICAS_AND_NODES: Final[tuple[Callable[[Disturbed, Forked], None], ...]] = (
    *(_kill_a_replica, _kill_a_replica, _put_a_replica_to_sleep),
    *(_kill_a_node, _put_a_node_to_sleep),
)


def _send(process: psutil.Process, number: signal.Signals) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(number)


def _to_the_end(disturbed: Disturbed) -> None:
    for _ in range(MOST_RUNS):
        if disturbed.over(disturbed.start(), {0}) == 0:
            return
    disturbed.lost.append(f"not done after {MOST_RUNS} runs")
