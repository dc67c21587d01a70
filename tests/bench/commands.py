"""What the help of every command takes to start: CPU time and memory, each alone."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Final

from tests.bench.measure import Taken
from tests.bench.start import PROGRAMS

STARTS: Final = 3


def bench_commands(_: Path) -> Iterator[Taken]:
    """Start-up and peak memory of every command's help: median CPU seconds, largest MiB."""
    yield taken("python alone", "-c", "pass")
    yield taken("import typer", "-c", "import typer")
    for program in PROGRAMS:
        yield taken(f"{program} --help", "-m", program, "--help")
        for command in import_module(f"{program}.__main__").COMMANDS:
            yield taken(f"{program} {command} --help", "-m", program, command, "--help")


def taken(what: str, *words: str) -> Taken:
    """Start Python with ``words`` some times; return the median CPU time and the largest peak."""
    starts = [_start(*words) for _ in range(STARTS)]
    return Taken(what, median(cpu for cpu, _ in starts), max(peak for _, peak in starts))


def _start(*words: str) -> tuple[float, float]:
    process = subprocess.Popen([sys.executable, *words], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, words
    # Linux counts in KiB.
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024
