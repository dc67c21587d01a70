"""A head that is gone for too long ends the process with 75; one that is left does not."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading

import pytest

from shared.cluster import head
from shared.cluster.head import RAYS_PATIENCE, HeadWatch, host_and_port, is_listening

JOINED = """
import sys, time
from shared.cluster.head import HeadWatch
HeadWatch().begin(sys.argv[1], "program", lambda: True, lambda: time.sleep(60))
time.sleep(60)
"""
LEFT = """
import sys, time
from shared.cluster.head import HeadWatch
with_a_word, without = HeadWatch(), HeadWatch()
with_a_word.begin(sys.argv[1], "program", lambda: True, lambda: time.sleep(60))
without.begin(sys.argv[1], "program", lambda: False, lambda: time.sleep(60))
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


@pytest.fixture
def watch(monkeypatch):
    """Watches a head that listens, or not, at each look; returns what was said of it."""

    def watched_looks(listens, pauses_s, asked):
        looks, times, said = iter(listens), [0.0], []

        def look(_address, _timeout_s):
            times.append(times[-1] + pauses_s[len(times) - 1])
            return next(looks)

        monkeypatch.setenv(RAYS_PATIENCE, "1")
        monkeypatch.setattr(head, "is_listening", look)
        monkeypatch.setattr(head, "stopwatch", lambda: times[-1])
        monkeypatch.setattr(head, "end_at_once", lambda *line: said.append(line))
        HeadWatch().begin("head:1", "program", lambda: len(times) <= len(listens), asked)
        [thread] = [each for each in threading.enumerate() if each.name == "head-watch"]
        thread.join(30)
        return said

    return watched_looks


def refuse():
    raise RuntimeError("no head")


def test_a_process_that_stood_still_for_minutes_looks_for_the_head_anew(watch):
    assert watch([True, False, False, True], [0.1, 300.0, 0.1, 0.1], refuse) == []


def test_a_head_that_only_takes_no_new_connections_is_not_gone(watch):
    assert watch([False] * 6, [0.15] * 6, lambda: "its nodes") == []
    assert len(watch([False] * 6, [0.15] * 6, refuse)) > 0


@pytest.mark.parametrize(
    ("address", "parts"),
    [("head:1", ("head", 1)), ("[::1]:6379", ("::1", 6379)), ("10.0.0.1:2", ("10.0.0.1", 2))],
)
def test_a_heads_address_has_two_parts(address, parts):
    assert host_and_port(address) == parts
