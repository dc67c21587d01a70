"""Runs a command and reads what it cost, through a process in between.

A process that is started counts the memory of the one that started it as its own. Whoever compares
models has hundreds of megabytes; this module, run as a program, has next to none.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from shared.program.clock import stopwatch


@dataclass(frozen=True)
class Cost:
    """Exit code, start in seconds of the machine's clock, seconds taken, of CPU, and peak MB."""

    code: int
    started: float
    wall_s: float
    cpu_s: float
    peak_mb: float
    errors: str = ""


def cost_of(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Cost:
    """Run ``command`` to its end; ``errors`` is what it wrote to standard error."""
    ran = subprocess.run(
        [sys.executable, "-m", __name__, *command],
        capture_output=True,
        text=True,
        env=environment,
        check=True,
    )
    return Cost(**json.loads(ran.stdout) | {"errors": ran.stderr})


def main(command: Sequence[str]) -> None:
    """Run ``command`` and print its cost as JSON."""
    started = stopwatch()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    cost = Cost(
        code=process.returncode,
        started=started,
        wall_s=stopwatch() - started,
        cpu_s=used.ru_utime + used.ru_stime,
        peak_mb=used.ru_maxrss / 1024,
    )
    print(json.dumps(asdict(cost)))


if __name__ == "__main__":
    main(sys.argv[1:])
