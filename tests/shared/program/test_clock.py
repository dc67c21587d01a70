"""The clock of a program goes on by the time that passes, whoever sets the machine's."""

from __future__ import annotations

import time

import pytest
from structlog.testing import capture_logs

from shared.program import clock
from shared.program.clock import SystemClock, time_passed
from shared.program.reporting.clock_watch import ClockWatch
from tests.fakes.clock import FakeClock


class Machine:
    """A machine whose clock is set, and on which time passes, as a test says."""

    def __init__(self) -> None:
        self.clock_s, self.passed_s = 1_780_000_000.0, 50.0

    def clock(self) -> SystemClock:
        return SystemClock(lambda: self.clock_s, lambda: self.passed_s)

    def pass_time(self, seconds: float) -> None:
        self.clock_s += seconds
        self.passed_s += seconds


@pytest.mark.parametrize("by_s", [-86_400.0, -61.0, 61.0, 86_400.0])
def test_a_machines_clock_that_is_set_makes_no_span_longer_or_shorter(by_s):
    machine = Machine()
    clock = machine.clock()
    began = clock.now()
    machine.pass_time(30.0)
    machine.clock_s += by_s
    machine.pass_time(12.0)
    assert clock.now() - began == 42.0
    assert clock.was_set_by_s() == by_s
    assert machine.clock().now() == machine.clock_s


def test_a_clock_that_was_set_is_told_once_each_time():
    machine = Machine()
    watch = ClockWatch(machine.clock())
    with capture_logs() as lines:
        watch.look()
        machine.clock_s += 3_600.0
        for _ in range(3):
            machine.pass_time(10.0)
            watch.look()
        machine.clock_s -= 3_600.0
        watch.look()
    told = [line for line in lines if line["event"] == "clock_was_set"]
    assert [line["by_s"] == 3600 for line in told] == [True, False]
    ClockWatch(FakeClock()).look()


@pytest.mark.parametrize("lacks", ["a name", "the clock", "both names"])
def test_time_passes_on_systems_that_lack_clocks(monkeypatch, lacks):
    def without_boot_time(number):
        if number == 7:
            raise OSError("Invalid argument")
        return 5.0

    for name, number in {"CLOCK_BOOTTIME": 7, "CLOCK_MONOTONIC": 6}.items():
        if lacks == "both names" or (lacks, name) == ("a name", "CLOCK_BOOTTIME"):
            monkeypatch.delattr(time, name, raising=False)
        else:
            monkeypatch.setattr(time, name, number, raising=False)
    monkeypatch.setattr(time, "clock_gettime", without_boot_time, raising=False)
    counting = clock._counting_while_asleep()
    assert counting == (None if lacks == "both names" else 6)
    monkeypatch.setattr(clock, "_PASSING", counting)
    assert time_passed() == 5.0 if counting else time_passed() <= time_passed()


def test_the_machines_clock_is_that_of_the_epoch_and_time_only_grows():
    clock = SystemClock()
    assert abs(clock.now() - time.time()) < 1.0
    assert abs(clock.was_set_by_s()) < 1.0
    assert time_passed() <= time_passed()
