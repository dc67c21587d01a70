"""A server ends in good order at the first signal, and at once at the second."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from shared.program.stopping import SIGNALS

ROOT = Path(__file__).parents[3]
SERVER = """
import asyncio
from shared.program.async_stopping import ENDED_AT_ONCE, AsyncStopSignal, stop_on_signals

async def serve():
    stop = AsyncStopSignal()
    tell = lambda: print("asked to stop", flush=True)
    with stop_on_signals(stop, "taster", ENDED_AT_ONCE, on_first=tell):
        print("serving", flush=True)
        await stop.until_requested()
        await asyncio.sleep({last_work_s})
    print(stop.reason, flush=True)

asyncio.run(serve())
"""


def started(last_work_s: float) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", SERVER.replace("{last_work_s}", str(last_work_s))]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(words, text=True, **pipes)


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_signal_lets_the_work_in_hand_end(number):
    with started(0.1) as server:
        assert server.stdout.readline() == "serving\n"
        server.send_signal(number)
        out, err = server.communicate(timeout=30)
    assert (server.returncode, err) == (0, "")
    assert out == f"asked to stop\nstopped by {signal.Signals(number).name}\n"


@pytest.mark.parametrize("second", SIGNALS)
def test_a_second_signal_ends_it_at_once(second):
    with started(300) as server:
        assert server.stdout.readline() == "serving\n"
        server.send_signal(signal.SIGTERM)
        assert server.stdout.readline() == "asked to stop\n"
        server.send_signal(second)
        out, err = server.communicate(timeout=30)
    assert (server.returncode, out, err) == (75, "", "taster: ended at once\n")


def test_signals_are_handled_in_one_place():
    handlers = [
        str(path.relative_to(ROOT))
        for part in ("curator", "evaluator", "shared", "trainer")
        for path in sorted((ROOT / part).rglob("*.py"))
        if re.search(r"signal\.signal\(|add_signal_handler", path.read_text(encoding="utf-8"))
    ]
    program = ["shared/program/async_stopping.py", "shared/program/stopping.py"]
    # Before a program begins, and while a notebook imports torch.
    assert handlers == [*program, "shared/starting.py", "shared/whole_imports.py"]
