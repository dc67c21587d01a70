"""A cluster's head that is killed ends a run with 75 and one line; the same command goes on."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import pytest
import typer

from evaluator.answering.fleet import Fleet, LocalFleet
from evaluator.answering.messages import Reply
from evaluator.answering.ray_fleet import RayFleet
from evaluator.runs.run import evaluate
from evaluator.runs.status import State, read_status
from shared.cluster.head import RAYS_PATIENCE, is_listening
from shared.cluster.ray_cluster import ReplicaShare, connect_ray, leave_ray
from shared.corpus import read_pairs, write_pairs
from shared.program.cli import run_program
from shared.records import Question
from tests.evaluator.replicas import evaluation_of, no_text_models
from tests.evaluator.scripted_replica import SlowReplica
from tests.fakes.clock import FakeClock
from tests.pictures import draw_gallery

IMAGES = 20
GOES_ON = "go-on"
DRIVER = "import sys; from tests.evaluator.answering import test_lost_head as t; t.drive(sys.argv)"


class PatientReplica(SlowReplica):
    """Answers about the first image, and about others once a file says so."""

    def answer(self, questions: Sequence[Question]) -> list[Reply]:
        first = min(path.name for path in (self._folder / "images").iterdir())
        while not (
            first in {question.filename for question in questions}
            or (self._folder / GOES_ON).exists()
        ):
            time.sleep(0.05)
        return super().answer(questions)


def drive(words: list[str]) -> None:
    """Do as ``evaluator run`` does, in a process of its own."""
    app = typer.Typer()

    @app.command()
    def run(folder: Path, out: Path, address: str) -> None:
        while not is_listening(address, 1.0):
            time.sleep(0.1)
        connect_ray(address, 1, "evaluator")
        try:
            share = ReplicaShare(1, 0.0)
            answer(folder, out, lambda: RayFleet(PatientReplica, (folder,), 1, share))
        finally:
            leave_ray()

    run_program(app, "evaluator", words[1:])


def answer(folder: Path, out: Path, fleet: Callable[[], Fleet]) -> None:
    evaluation = evaluation_of(read_pairs(folder / "pairs.csv"))
    evaluate(evaluation, out, fleet, no_text_models, FakeClock())


@contextmanager
def head(environment: dict[str, str]) -> Iterator[tuple[str, psutil.Process]]:
    """A head in a session of its own; yields its address and the process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # Not under tmp_path: the names of Ray's sockets would get too long.
    with TemporaryDirectory(prefix="ray-") as folder:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block"),
                *("--node-ip-address", "127.0.0.1", "--port", str(port), "--temp-dir", folder),
                *("--include-dashboard", "false", "--num-cpus", "1", "--disable-usage-stats"),
                *("--min-worker-port", "0", "--max-worker-port", "0"),
                *("--object-store-memory", str(100 * 2**20)),
            ],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield f"127.0.0.1:{port}", psutil.Process(process.pid)
        finally:
            # Asked to stop it would look for what was killed for half a minute.
            for each in [*psutil.Process(process.pid).children(recursive=True), process]:
                with suppress(psutil.NoSuchProcess):
                    each.kill()
            process.wait()


def gcs_of(process: psutil.Process) -> list[psutil.Process]:
    return [each for each in process.children() if each.name() == "gcs_server"]


@pytest.mark.ray
@pytest.mark.slow
def test_a_run_whose_cluster_lost_its_head_stops_in_one_line_and_goes_on(tmp_path):
    write_pairs(draw_gallery(tmp_path / "images", IMAGES), tmp_path / "pairs.csv")
    out = tmp_path / "out"
    environment = os.environ | {RAYS_PATIENCE: "4"}
    with head(environment) as (address, process):
        driver = subprocess.Popen(
            [sys.executable, "-c", DRIVER, str(tmp_path), str(out), address],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        while not list(out.glob("shards/shard-*.parquet")):
            assert driver.poll() is None, driver.communicate()
            time.sleep(0.05)
        [gcs] = gcs_of(process)
        gcs.send_signal(signal.SIGKILL)
        _, said = driver.communicate(timeout=60)
    assert driver.returncode == 75, said
    assert said.splitlines()[-1] == (
        f"evaluator: the head of the Ray cluster, {address}, is gone for 3 s; what is done is "
        "kept: give the same command again to go on, with a cluster that runs"
    )
    assert "GCS" not in said
    assert read_status(out, 0.0).state is State.STOPPED
    (tmp_path / GOES_ON).touch()
    whole = tmp_path / "whole"
    for folder in (out, whole):
        answer(tmp_path, folder, lambda: LocalFleet(PatientReplica(tmp_path)))
    for name in ("scorecard.json", "predictions.csv"):
        assert (out / name).read_bytes() == (whole / name).read_bytes()
