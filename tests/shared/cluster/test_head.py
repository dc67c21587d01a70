"""A head that is gone for too long ends the process with 75; one that is left does not."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from shared.cluster.head import RAYS_PATIENCE, is_listening

JOINED = """
import sys, time
from shared.cluster.head import HeadWatch
HeadWatch().begin(sys.argv[1], "program", lambda: True)
time.sleep(60)
"""
LEFT = """
import sys, time
from shared.cluster.head import HeadWatch
with_a_word, without = HeadWatch(), HeadWatch()
with_a_word.begin(sys.argv[1], "program", lambda: True)
without.begin(sys.argv[1], "program", lambda: False)
with_a_word.end()
time.sleep(0.9)
"""


def watched(script: str, address: str) -> subprocess.CompletedProcess:
    """Watch a head with a second of patience on Ray's side."""
    return subprocess.run(
        [sys.executable, "-c", script, address],
        env=os.environ | {RAYS_PATIENCE: "1"},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.fixture
def closed_port():
    """An address at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{probe.getsockname()[1]}"


def test_a_head_that_is_gone_ends_the_process_in_one_line(closed_port):
    done = watched(JOINED, closed_port)
    assert done.returncode == 75
    assert done.stderr == (
        f"program: the head of the Ray cluster, {closed_port}, is gone for 0.75 s; what is done is "
        "kept: give the same command again to go on, with a cluster that runs\n"
    )


def test_a_cluster_that_was_left_is_watched_no_more(closed_port):
    done = watched(LEFT, closed_port)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_head_that_is_there_is_seen(closed_port):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        assert is_listening(f"127.0.0.1:{listening.getsockname()[1]}", 1.0)
    assert not is_listening(closed_port, 1.0)
