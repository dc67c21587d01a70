"""A signal asks the run to stop; without one, the handlers are gone afterwards."""

import os
import signal

import pytest

from shared.program.stopping import SIGNALS, StopSignal, stop_on_signals


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_signal_asks(number):
    stop, before = StopSignal(), signal.getsignal(number)
    with stop_on_signals(stop, "trainer"):
        assert not stop.requested
        os.kill(os.getpid(), number)
        assert stop.requested
    assert stop.reason == f"stopped by {signal.Signals(number).name}"
    assert signal.getsignal(number) is not before


def test_without_a_signal_all_is_as_before():
    before = [signal.getsignal(number) for number in SIGNALS]
    with stop_on_signals(StopSignal(), "trainer"):
        pass
    assert [signal.getsignal(number) for number in SIGNALS] == before
