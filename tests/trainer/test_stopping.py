"""A signal asks the run to stop; the handlers are gone afterwards."""

import os
import signal

import pytest

from trainer.stopping import SIGNALS, StopSignal, stop_on_signals


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_signal_asks_and_the_second_does_what_it_did_before(number):
    stop, before = StopSignal(), signal.getsignal(number)
    with stop_on_signals(stop):
        assert not stop.requested
        os.kill(os.getpid(), number)
        assert stop.requested
        assert signal.getsignal(number) is before
    assert stop.reason == f"stopped by {signal.Signals(number).name}"
    assert signal.getsignal(number) is before
