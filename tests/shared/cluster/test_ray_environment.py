"""Ray as a user's environment has it: tokens, homes, temporary folders, addresses."""

import os
import secrets
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from shared.cluster.authentication import MODE, unwanted_token_advice

JOIN = """
import sys
from shared.cluster.ray_cluster import connect_ray, leave_ray
from shared.errors import AboVqaError
try:
    connect_ray(sys.argv[1] or None, 1, "evaluator")
    print("joined")
    leave_ray()
except AboVqaError as error:
    print(error.exit_code, error)
"""
TOKEN = secrets.token_hex(32)


def join(address="", **changes):
    """Return what a program says that joins Ray in a user's environment with ``changes``."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
    # One try a second; the default is twenty.
    environment = clean | {"RAY_NUM_REDIS_GET_RETRIES": "2"} | changes
    done = subprocess.run(
        [sys.executable, "-c", JOIN, address],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return done.stdout.strip()


@pytest.mark.slow
@pytest.mark.parametrize("url", ["http://127.0.0.1:8265", "https://ray.example.org"])
def test_the_address_for_jobs_is_told_from_that_of_a_cluster(url):
    words = (
        f"that is where a cluster takes jobs; give this command to `ray job submit --address {url}"
    )
    assert join(url).startswith(f"2 --address {url}: {words}")
    assert "leave it out" in join(url)
    assert join(RAY_ADDRESS=url).startswith(f"2 RAY_ADDRESS={url}: {words}")
    assert "unset it" in join(RAY_ADDRESS=url)


@pytest.mark.parametrize("variable", ["TMPDIR", "RAY_TMPDIR"])
def test_a_temporary_folder_with_too_long_a_name_is_named_with_the_way_out(tmp_path, variable):
    folder = tmp_path / ("x" * 90)
    folder.mkdir()
    assert join(**{variable: str(folder)}) == (
        f"2 Ray cannot start: the name of the temporary folder {folder} is too long for its "
        "sockets; set RAY_TMPDIR to a short one, such as /tmp"
    )


@pytest.mark.slow
@pytest.mark.ray
def test_a_home_that_cannot_be_written_is_not_needed():
    assert join(HOME="/dev/null/home") == "joined"


@pytest.mark.slow
@pytest.mark.ray
def test_a_cluster_on_this_machine_leaves_nothing_in_the_home(tmp_path):
    assert join(HOME=str(tmp_path)) == "joined"
    assert not (tmp_path / ".ray").exists()


@contextmanager
def cluster_with_a_token():
    """A head that asks for ``TOKEN``; yields its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # Not under tmp_path: the names of Ray's sockets would get too long.
    with TemporaryDirectory(prefix="ray-") as folder:
        head = subprocess.Popen(
            [
                *(sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block"),
                *("--node-ip-address", "127.0.0.1", "--port", str(port), "--temp-dir", folder),
                *("--include-dashboard", "false", "--num-cpus", "1", "--disable-usage-stats"),
                # The ports of workers must leave the head's alone, which is any that is free.
                *("--min-worker-port", "0", "--max-worker-port", "0"),
                *("--object-store-memory", str(100 * 2**20)),
            ],
            env=os.environ | {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield f"127.0.0.1:{port}"
        finally:
            head.terminate()
            head.wait()


def joined_in_the_end(address, **changes):
    """Try until the head has started."""
    return any(join(address, **changes) == "joined" for _ in range(20))


@pytest.mark.slow
@pytest.mark.ray
def test_a_cluster_that_asks_for_a_token_gets_the_users_own_and_says_what_is_wrong(tmp_path):
    home, empty = tmp_path / "home", tmp_path / "empty"
    for folder in (home / ".ray", empty):
        folder.mkdir(parents=True)
    Path(home, ".ray", "auth_token").write_text(TOKEN)
    with cluster_with_a_token() as address:
        assert joined_in_the_end(address, HOME=str(home))
        assert join(address, HOME=str(empty), RAY_AUTH_TOKEN=TOKEN) == "joined"
        asks = f"2 --address {address}: it asks for a token, and"
        missing = join(address, HOME=str(empty))
        assert missing.startswith(f"{asks} yours is missing; give it in RAY_AUTH_TOKEN")
        other = join(address, HOME=str(empty), RAY_AUTH_TOKEN=secrets.token_hex(32))
        assert other.startswith(f"{asks} yours is not the cluster's")
        disabled = join(address, HOME=str(home), RAY_AUTH_MODE="disabled")
        assert disabled == f"{asks} RAY_AUTH_MODE=disabled keeps yours back; unset RAY_AUTH_MODE"
        assert TOKEN not in missing + other + disabled


@pytest.mark.parametrize(
    "module",
    ["evaluator.answering.ray_fleet", pytest.param("trainer.sweep.run", marks=pytest.mark.slow)],
)
def test_ray_is_imported_only_once_it_knows_whether_to_show_a_token(module):
    names = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", names], capture_output=True, text=True, check=True, timeout=120
    )
    order = done.stdout.split()
    assert order.index("shared.cluster.authentication") < order.index("ray")


@pytest.mark.parametrize(
    ("mode", "reason", "advised"),
    [
        ("token", "it was cancelled before it started running.", True),
        ("token", "all references to the actor were removed including lineage ref count.", True),
        ("token", "no room on any node", False),
        ("disabled", "it was cancelled before it started running.", False),
        (None, "it was cancelled before it started running.", False),
    ],
)
def test_a_token_that_the_cluster_does_not_ask_for_is_named(monkeypatch, mode, reason, advised):
    monkeypatch.delenv(MODE, raising=False)
    if mode:
        monkeypatch.setenv(MODE, mode)
    assert ("set RAY_AUTH_MODE=disabled" in unwanted_token_advice(reason)) == advised
