"""Runs each contender as a process against a fresh lean server and reads what it cost.

All send the same prompt and the same JPEG files, in base64; the table says how many bytes came.
Ours also has ledger, validation and log on, looks whether each image is whole, and asks for a form.
What each does before its first request (imports, reading the catalogue) is not in its rate, but
stands in a column of its own, and in the CPU time. Two runs of unlike length tell what is fixed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

from PIL import Image

from curator.prompts.prompt import Prompt
from tests.bench.asking.contenders import KEYS
from tests.bench.asking.cost import cost_of

LATENCY_S = 0.05
CONCURRENCY = 100
DISTINCT = 50
_CONTENDERS = Path(__file__).with_name("contenders.py")


@dataclass(frozen=True)
class Run:
    """What one program took: seconds before its first request, and from there to the last answer.

    The CPU seconds are those of the whole program, its start included; ``sent_kb`` is the size of
    an average request, ``peak_mb`` the memory at the most.
    """

    name: str
    count: int
    start_s: float
    sending_s: float
    cpu_s: float
    peak_mb: float
    sent_kb: float

    @property
    def rate(self) -> float:
        """Requests a second while it sent."""
        return self.count / self.sending_s

    @property
    def whole_rate(self) -> float:
        """Requests a second since the program was started."""
        return self.count / (self.start_s + self.sending_s)

    @property
    def cpu_ms(self) -> float:
        """CPU milliseconds a request, with its share of the start."""
        return 1000 * self.cpu_s / self.count


@dataclass(frozen=True)
class Shape:
    """What a program costs however little it asks, and what each further request costs."""

    name: str
    fixed_cpu_s: float
    further_cpu_ms: float
    further_rate: float


def shape_of(short: Run, long: Run) -> Shape:
    """Tell apart what is fixed, from runs of one program over few requests and over many."""
    further = long.count - short.count
    each_s = (long.cpu_s - short.cpu_s) / further
    return Shape(
        short.name,
        short.cpu_s - short.count * each_s,
        1000 * each_s,
        further / (long.sending_s - short.sending_s),
    )


def write_course(folder: Path, count: int) -> None:
    """Write ``count`` pictures of 256 px, each of ``DISTINCT`` linked many times, and the keys."""
    images = folder / "images"
    images.mkdir()
    for number in range(min(count, DISTINCT)):
        noise = Image.effect_noise((16, 16), 60 + number).resize((256, 256)).convert("RGB")
        noise.save(images / f"{number:06}.jpg", quality=85)
    for number in range(DISTINCT, count):
        (images / f"{number:06}.jpg").hardlink_to(images / f"{number % DISTINCT:06}.jpg")
    (folder / "keys.txt").write_text("\n".join(KEYS))
    (folder / "prompt.txt").write_text(Prompt(10, 1).text)


@contextmanager
def lean_server() -> Iterator[str]:
    """Start a server in a process of its own and yield its address."""
    command = [sys.executable, "-m", "tests.bench.asking.lean_server", str(LATENCY_S)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(server.stdout.readline())}"
        finally:
            server.terminate()


def race(name: str, command: Sequence[str], url: str, count: int) -> Run:
    """Run ``command`` to its end against the server at ``url``.

    Raises:
        RuntimeError: it failed, or sent fewer than ``count`` requests.
    """
    environment = {
        key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")
    }
    cost = cost_of(command, environment | {"CURATOR_DISABLE_CACHE": "1", "TELEMETRY_ENABLED": "0"})
    with urlopen(f"{url}/stats") as response:
        stats = json.load(response)
    if cost.code or stats["requests"] < count:
        raise RuntimeError(
            f"{name}: exit {cost.code}, {stats['requests']} of {count} requests\n"
            + cost.errors[-2000:]
        )
    return Run(
        name=name,
        count=count,
        # Both processes read the same monotonic clock of the machine.
        start_s=stats["first"] - cost.started,
        sending_s=stats["seconds"],
        cpu_s=cost.cpu_s,
        peak_mb=cost.peak_mb,
        sent_kb=stats["received"] / stats["requests"] / 1000,
    )


def run_contender(name: str, folder: Path, count: int, python: str = sys.executable) -> Run:
    """Run one of ``contenders`` by the interpreter of its environment."""
    with lean_server() as url:
        words = [name, url, str(folder / "images"), str(folder / "prompt.txt"), str(count)]
        command = [python, str(_CONTENDERS), *words, str(CONCURRENCY)]
        return race(name, command, url, count)


def run_curator(folder: Path, count: int, ledger: str = "race.db") -> Run:
    """Run ``curator run`` as a user would: ledger, validation and log are on."""
    with lean_server() as url:
        command = [
            *(sys.executable, "-m", "curator", "run", "--catalog", str(folder / "images")),
            *("--keys", str(folder / "keys.txt"), "--ledger", str(folder / ledger)),
            *("--base-url", url, "--concurrency", str(CONCURRENCY), "--limit", str(count)),
        ]
        return race("curator run", command, url, count)
