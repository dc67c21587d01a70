"""`evaluator run` on a cluster of two nodes: whoever dies, the scorecard is the same to the byte.

The drivers are processes of their own, as a user starts them.
"""

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import pytest
from ray.cluster_utils import Cluster

from evaluator.answering.fleet import LocalFleet
from evaluator.answering.ray_fleet import MAX_TRIES, RayFleet
from evaluator.answering.replica import Replica
from evaluator.runs.answers import ShardsGivenUp
from evaluator.runs.run import evaluate
from evaluator.runs.status import State, read_status
from shared.cluster.ray_cluster import ReplicaShare, connect_ray, leave_ray
from shared.corpus import read_json, write_pairs
from shared.records import QAPair
from tests.evaluator.replicas import DeadlyReplica, evaluation_of, no_text_models, settings_for
from tests.fakes.clock import FakeClock
from tests.fakes.file_server import serve_folder
from tests.pictures import draw_gallery

pytestmark = [
    pytest.mark.ray,
    pytest.mark.slow,
    pytest.mark.xdist_group("ray"),
    pytest.mark.timeout(1200),
]

IMAGES = 300
NODE = {"num_cpus": 1, "object_store_memory": 100 * 2**20}
LONGEST_WAIT_S = 400.0
SUBMISSIONS = 12


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("faults")
    write_pairs(draw_gallery(folder / "images", IMAGES), folder / "pairs.csv")
    return folder


@pytest.fixture(scope="module")
def cluster():
    cluster = Cluster(initialize_head=True, head_node_args={**NODE, "include_dashboard": False})
    cluster.add_node(**NODE)
    yield cluster
    cluster.shutdown()


def command(data: Path, out: Path, *more: str, images: str | None = None) -> list[str]:
    return [
        *(sys.executable, "-m", "evaluator", "run", "--model", "blip-vqa-tiny"),
        *("--quantize", "none", "--metrics", "exact_match,token_f1", "--shuffle-sample", "0"),
        *("--data", str(data / "pairs.csv"), "--images", images or str(data / "images")),
        *("--name", "run", "--replicas", "2", "--out", str(out), "--json", *more),
    ]


@contextmanager
def driver(cluster, data: Path, out: Path):
    """A driver at work, killed at the end if it is still there."""
    with subprocess.Popen(
        command(data, out, "--address", cluster.address),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def wait_until(condition: Callable[[], bool], process: subprocess.Popen) -> None:
    """Poll: what is waited for happens in other processes."""
    deadline = time.monotonic() + LONGEST_WAIT_S
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def shards_done(out: Path) -> int:
    return len(list((out / "shards").glob("shard-*.parquet")))


def finish(process: subprocess.Popen) -> dict:
    said, complaints = process.communicate(timeout=LONGEST_WAIT_S)
    assert process.returncode == 0, complaints
    return json.loads(said)


def results(out: Path) -> dict[str, bytes]:
    return {name: (out / name).read_bytes() for name in ("scorecard.json", "predictions.csv")}


@pytest.fixture(scope="module")
def undisturbed(cluster, data) -> dict[str, bytes]:
    with driver(cluster, data, data / "undisturbed") as process:
        card = finish(process)
    assert card["n"] == 2 * IMAGES
    return results(data / "undisturbed")


def replicas_on(cluster) -> list[psutil.Process]:
    session = cluster.head_node.get_session_dir_path()
    found = []
    for process in psutil.process_iter(["cmdline"]):
        title = " ".join(process.info["cmdline"] or ())
        if title.startswith("ray::") and "Replica" in title:
            parent = process.parent()
            if parent and session in " ".join(parent.cmdline()):
                found.append(process)
    return found


def test_a_killed_replica_is_replaced(cluster, data, tmp_path, undisturbed):
    out = tmp_path / "run"
    with driver(cluster, data, out) as process:
        wait_until(lambda: shards_done(out) >= 2 and bool(replicas_on(cluster)), process)
        for replica in replicas_on(cluster):
            replica.kill()
        done = shards_done(out)
        finish(process)
    assert done < read_json(out / "status.json")["shards"]
    assert results(out) == undisturbed


@pytest.mark.long
def test_a_removed_node_is_done_without(cluster, data, tmp_path, undisturbed):
    out = tmp_path / "run"
    with driver(cluster, data, out) as process:
        wait_until(lambda: shards_done(out) >= 2, process)
        [worker] = cluster.worker_nodes
        cluster.remove_node(worker, allow_graceful=False)
        finish(process)
    cluster.add_node(**NODE)
    status = read_status(out, 0.0)
    assert status.state is State.FINISHED
    assert results(out) == undisturbed


def test_a_killed_driver_leaves_a_run_that_goes_on(cluster, data, tmp_path, undisturbed):
    out = tmp_path / "run"
    with driver(cluster, data, out) as process:
        wait_until(lambda: shards_done(out) >= 2, process)
        process.send_signal(signal.SIGKILL)
        process.wait()
    status = read_status(out, 0.0)
    assert status.state is State.STOPPED
    assert 2 <= status.shards_done < status.notes.shards
    with driver(cluster, data, out) as process:
        finish(process)
    assert results(out) == undisturbed
    assert read_status(out, 0.0).notes.answered == 2 * IMAGES - status.questions_done


def test_a_driver_that_is_told_to_stop_exits_with_75(cluster, data, tmp_path):
    out = tmp_path / "run"
    with driver(cluster, data, out) as process:
        wait_until(lambda: shards_done(out) >= 1, process)
        process.terminate()
        said, complaints = process.communicate(timeout=LONGEST_WAIT_S)
    assert process.returncode == 75
    assert read_status(out, 0.0).state is State.STOPPED
    assert said == ""
    assert complaints.strip().endswith("stopped; run the same command again to go on")


@pytest.mark.long
def test_a_shard_that_always_kills_is_reported_and_the_rest_completes(
    cluster, tiny_model, pictures, tmp_path
):
    images = shutil.copytree(pictures[0], tmp_path / "images")
    shutil.copy(images / "000.png", images / "deadly.png")
    pairs = [*pictures[1], QAPair("deadly", "what", "red", "deadly.png")]
    evaluation, folder = evaluation_of(pairs), tmp_path / "run"
    settings = settings_for(tiny_model, images)
    connect_ray(cluster.address, 2, "evaluator")
    try:
        fleet = RayFleet(DeadlyReplica, [settings], 2, ReplicaShare(1, 0.0))
        with pytest.raises(ShardsGivenUp) as given_up:
            evaluate(evaluation, folder, lambda: fleet, no_text_models, FakeClock())
    finally:
        leave_ray()
    assert given_up.value.exit_code == 1
    status = read_status(folder, 0.0)
    assert status.state is State.INCOMPLETE
    assert len(status.notes.given_up) == 1
    assert status.shards_done == status.notes.shards - 1
    assert len(list(images.glob("death-*"))) == MAX_TRIES
    for out in (folder, tmp_path / "whole"):
        local = LocalFleet(Replica(settings))
        evaluate(evaluation, out, lambda local=local: local, no_text_models, FakeClock())
    assert results(folder) == results(tmp_path / "whole")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def job_server():
    """A head with its dashboard on loopback; yields both addresses and the environment."""
    gcs, dashboard = free_port(), free_port()
    # Ray's own default depends on whether the user's home holds a token.
    environment = os.environ | {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    # Not under tmp_path: the names of Ray's sockets would get too long.
    with TemporaryDirectory(prefix="ray-") as folder:
        head = subprocess.Popen(
            [
                *(sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block"),
                *("--node-ip-address", "127.0.0.1", "--port", str(gcs), "--temp-dir", folder),
                *("--dashboard-host", "127.0.0.1", "--dashboard-port", str(dashboard)),
                # Its usual port is that of the other cluster's agents, and no job would start.
                *("--dashboard-agent-listen-port", str(free_port())),
                *("--num-cpus", "2", "--object-store-memory", str(100 * 2**20)),
                "--disable-usage-stats",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        try:
            wait_until(lambda: is_listening(gcs) and is_listening(dashboard), head)
            yield f"127.0.0.1:{gcs}", f"http://127.0.0.1:{dashboard}", environment
        finally:
            head.terminate()
            head.wait()


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.long
def test_a_submitted_job_and_a_submitted_script_write_the_run_folder(job_server, data, tmp_path):
    address, dashboard, environment = job_server
    ran = partial(subprocess.run, capture_output=True, text=True, check=False, timeout=550)
    submit = [sys.executable, "-m", "ray.scripts.scripts", "job", "submit", "--address", dashboard]
    with serve_folder(data) as server:
        job = command(data, tmp_path / "job", images=f"{server.url}/images")
        done = ran([*submit, "--", *job], env=environment)
        for _ in range(SUBMISSIONS):
            # The head takes jobs some seconds after it listens.
            if "No available agent" not in done.stdout + done.stderr:
                break
            done = ran([*submit, "--", *job], env=environment)
    assert done.returncode == 0, done.stdout + done.stderr

    # `ray submit` copies one file to the head and runs it there.
    script = shutil.copy(Path("evaluator", "__main__.py"), tmp_path / "__main__.py")
    run = command(data, tmp_path / "script", "--address", address)
    done = ran(
        [sys.executable, script, *run[3:]], env={**environment, "PYTHONPATH": str(Path.cwd())}
    )
    assert done.returncode == 0, done.stderr

    cards = [read_json(tmp_path / name / "scorecard.json") for name in ("job", "script")]
    assert cards[0]["provenance"].pop("images").startswith("http://127.0.0.1")
    assert cards[1]["provenance"].pop("images") == str(data / "images")
    assert cards[0] == cards[1]
    assert cards[0]["n"] == 2 * IMAGES
