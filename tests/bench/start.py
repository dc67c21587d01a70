"""What ``--help`` of each program takes, against Python that imports typer alone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.bench.measure import Comparison, compare

PROGRAMS: Final = ("curator", "evaluator", "trainer")
ROUNDS: Final = 10


def bench_start(_: Path) -> Iterator[Comparison]:
    """Start each program for its help, and a Python that imports typer alone in turn."""
    for program in PROGRAMS:
        yield compare(
            f"{program} --help, against `import typer` alone",
            "starts/s",
            1,
            lambda: _run("-c", "import typer"),
            lambda program=program: _run("-m", program, "--help"),
            ROUNDS,
        )


def _run(*words: str) -> None:
    subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)
