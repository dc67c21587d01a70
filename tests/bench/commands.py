"""What the help of every command takes to start: CPU time and memory, each alone."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Final

from tests.bench.measure import Taken
from tests.bench.start import PROGRAMS

_WRAPPED: Final = """
import runpy, sys
sys.argv = sys.argv[1:]
try:
    if sys.argv:
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
finally:
    status = open("/proc/self/status").read()
    sys.stderr.write(status.partition("VmHWM:")[2].split()[0])
"""
"""Runs a program and tells its own peak in KiB; what waits for it would tell that of both."""


def bench_commands(_: Path) -> Iterator[Taken]:
    """Start-up and peak memory of the help of every command, one start each; Linux alone."""
    yield taken("python alone")
    for program in PROGRAMS:
        yield taken(f"{program} --help", program, "--help")
        for command in import_module(f"{program}.__main__").COMMANDS:
            yield taken(f"{program} {command} --help", program, command, "--help")


def taken(what: str, *words: str) -> Taken:
    """Start a module with its words; return the CPU seconds and the peak that it takes."""
    process = subprocess.Popen(
        [sys.executable, "-c", _WRAPPED, *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    peak_kib = process.stderr.read().split()[-1]
    _, _, usage = os.wait4(process.pid, 0)
    process.returncode = 0
    return Taken(what, usage.ru_utime + usage.ru_stime, int(peak_kib) / 1024)
