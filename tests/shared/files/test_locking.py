"""The lock: one holder, and none once its process is gone."""

import os
import signal
import socket
import subprocess
import sys
import threading

import pytest

from shared.errors import InputError
from shared.files.locking import LockHeld, in_turn, is_held, sole
from shared.program.durations import local_time

HOLDER = """
import sys, time
from pathlib import Path
from shared.files.locking import sole
with sole(Path(sys.argv[1]), "busy", "wait"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_holder_is_refused_until_the_first_is_done(tmp_path):
    lock = tmp_path / "folder" / "run.lock"
    assert not is_held(lock)
    with sole(lock, "busy", "wait"):
        assert is_held(lock)
        with pytest.raises(LockHeld), sole(lock, "busy", "wait"):
            pass
    assert not is_held(lock)
    with sole(lock, "busy", "wait"):
        pass


def test_who_is_refused_hears_who_holds_it_and_since_when(tmp_path):
    lock = tmp_path / "run.lock"
    with sole(lock, "the run is busy", "wait for it"):
        since = local_time(lock.stat().st_mtime)
        with pytest.raises(LockHeld) as caught, sole(lock, "the run is busy", "wait for it"):
            pass
    process = f"process {os.getpid()} on {socket.gethostname()}"
    assert str(caught.value) == f"the run is busy ({process}, since {since}); wait for it"
    assert lock.read_text() == ""


@pytest.mark.parametrize("content", ["", "no JSON", "[]", "{}"])
def test_a_holder_that_is_not_known_is_not_named(tmp_path, content):
    lock = tmp_path / "run.lock"
    with sole(lock, "busy", "wait"):
        lock.write_text(content)
        with pytest.raises(LockHeld, match=r"^busy; wait$"), sole(lock, "busy", "wait"):
            pass


LOOKER = """
import sys
from pathlib import Path
from shared.files.locking import is_held
print("looking", flush=True)
while True:
    is_held(Path(sys.argv[1]))
"""


def test_whoever_only_looks_is_not_taken_for_a_holder(tmp_path):
    lock = tmp_path / "run.lock"
    lock.touch()
    command = [sys.executable, "-c", LOOKER, str(lock)]
    with subprocess.Popen(command, text=True, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == "looking\n"
        try:
            for _ in range(2_000):
                with sole(lock, "busy", "wait"):
                    pass
        finally:
            process.kill()


def test_a_killed_process_holds_nothing(tmp_path):
    lock = tmp_path / "run.lock"
    command = [sys.executable, "-c", HOLDER, str(lock)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as process:
        assert process.stdout.readline() == "held\n"
        assert is_held(lock)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not is_held(lock)


def test_a_place_that_cannot_be_written_is_bad_input(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with (
        pytest.raises(InputError, match="cannot be written"),
        sole(tmp_path / "file" / "l", "", ""),
    ):
        pass


def test_who_waits_gets_the_lock_when_its_holder_is_gone(tmp_path):
    lock = tmp_path / "run.lock"
    command = [sys.executable, "-c", HOLDER, str(lock)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as process:
        assert process.stdout.readline() == "held\n"
        got = threading.Event()

        def wait() -> None:
            with in_turn(lock):
                got.set()

        waiting = threading.Thread(target=wait)
        waiting.start()
        assert not got.wait(0.2)
        process.send_signal(signal.SIGKILL)
        waiting.join(30)
    assert got.is_set()
