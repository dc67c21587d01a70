"""A signal asks the run to stop; without one, the handlers are gone afterwards."""

import os
import signal
import sys
from subprocess import run

import pytest

from shared.program.stopping import (
    SIGNALS,
    StopSignal,
    own_signals,
    signals_held,
    stop_on_signals,
)


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_signal_asks(number):
    stop, before = StopSignal(), signal.signal(signal.SIGINT, lambda *_: None)
    own = signal.getsignal(number)
    try:
        with stop_on_signals(stop, "trainer"):
            assert not stop.requested
            os.kill(os.getpid(), number)
            assert stop.requested
        assert stop.reason == f"stopped by {signal.Signals(number).name}"
        assert signal.getsignal(number) is not own
    finally:
        signal.signal(signal.SIGINT, before)


def test_where_the_process_goes_on_a_second_interrupt_is_one_as_any():
    stop = StopSignal()
    with stop_on_signals(stop, "trainer"):
        signal.raise_signal(signal.SIGINT)
        assert stop.requested
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_without_a_signal_all_is_as_before():
    before = [signal.getsignal(number) for number in SIGNALS]
    with stop_on_signals(StopSignal(), "trainer"):
        pass
    assert [signal.getsignal(number) for number in SIGNALS] == before


LIKE_RAY = """
import os, signal, sys
from shared.program.stopping import own_signals

try:
    with own_signals("evaluator"):
        signal.signal(signal.SIGTERM, lambda number, _: sys.exit(number))
        os.kill(os.getpid(), signal.SIGTERM)
except KeyboardInterrupt:
    print("interrupted", flush=True)
os.kill(os.getpid(), signal.SIGTERM)
print("not at once")
"""


def test_a_signal_while_a_library_handles_it_stops_the_program_and_a_second_ends_it_at_once():
    ended = run([sys.executable, "-c", LIKE_RAY], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (75, "interrupted\n")
    assert ended.stderr == "evaluator: stopped; run the same command again to go on\n"


HALF_IMPORTED = """
import signal, sys, types
from shared.program.stopping import interrupt_once

interrupt_once("curator", "stopped")
sys.modules["asyncio"] = types.ModuleType("asyncio")
try:
    signal.raise_signal(signal.SIGINT)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def test_a_signal_that_comes_while_asyncio_is_imported_interrupts():
    ended = run([sys.executable, "-c", HALF_IMPORTED], capture_output=True, text=True, check=False)
    assert ended.stdout == "interrupted\n"
    assert "Traceback" not in ended.stderr


def test_the_handler_of_a_library_is_gone_after_the_block():
    before = signal.getsignal(signal.SIGTERM)
    with own_signals("evaluator"):
        signal.signal(signal.SIGTERM, lambda *_: None)
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_signal_that_comes_while_it_is_held_takes_effect_afterwards():
    started = []
    before = signal.signal(signal.SIGTERM, lambda *_: started.append("handled"))
    try:
        with signals_held():
            signal.raise_signal(signal.SIGTERM)
            child = run(
                [sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGTERM)"],
                check=False,
            )
            started.append("started")
        assert started == ["started", "handled"]
        assert child.returncode == -signal.SIGTERM
        signal.raise_signal(signal.SIGTERM)
        assert started[-1] == "handled"
    finally:
        signal.signal(signal.SIGTERM, before)


def test_an_interrupt_that_was_held_breaks_into_what_follows():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), signals_held():
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
