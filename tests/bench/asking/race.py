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
from tests.bench.builds import ROOT

DISTINCT = 50
SETTLED_AFTER = 2
"""Answers for each request in flight after which the rate is that of a long run."""
_CONTENDERS = Path(__file__).with_name("contenders.py")
_HEARTBEAT = Path(__file__).with_name("heartbeat.py")


@dataclass(frozen=True)
class Race:
    """What is asked of each contender: so many images, so many at a time, answered after a while.

    With ``is_watched``, its event loop is looked at for stalls, which costs a little.
    """

    folder: Path
    count: int
    concurrency: int = 100
    latency_s: float = 0.05
    is_watched: bool = False

    @property
    def allowed_rate(self) -> float:
        """Requests a second that latency and concurrency allow."""
        return self.concurrency / self.latency_s


@dataclass(frozen=True)
class Run:
    """What one program took: seconds before its first request, and from there to the last answer.

    The CPU seconds are those of the whole program, its start included; ``sent_kb`` is the size of
    an average request, ``peak_mb`` the memory at the most. ``settled_rate`` counts the requests a
    second after the first rounds. ``stalls_s`` are the times in which an event loop stood still
    while it sent, of 20 ms and more, where that was watched.
    """

    name: str
    count: int
    start_s: float
    sending_s: float
    settled_rate: float
    cpu_s: float
    peak_mb: float
    sent_kb: float
    stalls_s: Sequence[float] = ()

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

    @property
    def longest_stall_s(self) -> float:
        """The longest time in which an event loop stood still; 0 where none of 20 ms was seen."""
        return max(self.stalls_s, default=0.0)


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
def lean_server(latency_s: float = Race.latency_s) -> Iterator[str]:
    """Start a server in a process of its own and yield its address."""
    command = [sys.executable, "-m", "tests.bench.asking.lean_server", str(latency_s)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(server.stdout.readline())}"
        finally:
            server.terminate()


def measured(
    name: str,
    words: Sequence[str],
    url: str,
    asked: Race,
    *,
    python: str = sys.executable,
    build: Path | None = None,
) -> Run:
    """Run ``python`` with ``words`` to its end against the server at ``url``.

    It imports the project from ``build``, if at all.

    Raises:
        RuntimeError: it failed, or sent fewer requests than it should.
    """
    environment = {
        key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")
    } | {"CURATOR_DISABLE_CACHE": "1", "TELEMETRY_ENABLED": "0"}
    # Whoever uses a program has it compiled.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    if build is not None:
        environment["PYTHONPATH"] = str(build)
        packages = [str(build / package) for package in ("curator", "shared")]
        subprocess.run([python, "-m", "compileall", "-q", *packages], check=True)
    out = asked.folder / "stalls.json"
    watched = [str(_HEARTBEAT), str(out)] if asked.is_watched else []
    # -P: the folder in which the bench was started is another build, or none of the program's.
    cost = cost_of([python, "-P", *watched, *words], environment)
    with urlopen(f"{url}/stats") as response:
        stats = json.load(response)
    if cost.code or stats["requests"] < asked.count:
        raise RuntimeError(
            f"{name}: exit {cost.code}, {stats['requests']} of {asked.count} requests\n"
            + cost.errors[-2000:]
        )
    # All processes read the same monotonic clock of the machine.
    first, answered = stats["first"], stats["answered"]
    stalls = json.loads(out.read_text()) if asked.is_watched else []
    return Run(
        name=name,
        count=asked.count,
        start_s=first - cost.started,
        sending_s=answered[-1] - first,
        settled_rate=_settled_rate(answered, SETTLED_AFTER * asked.concurrency),
        cpu_s=cost.cpu_s,
        peak_mb=cost.peak_mb,
        sent_kb=stats["received"] / stats["requests"] / 1000,
        stalls_s=[late_s for over, late_s, _ in stalls if first < over - late_s < answered[-1]],
    )


def _settled_rate(answered: Sequence[float], left_out: int) -> float:
    """Return the answers a second after the first ones; 0 where there are no others."""
    if len(answered) <= left_out:
        return 0.0
    return (len(answered) - left_out) / (answered[-1] - answered[left_out - 1])


def run_contender(name: str, asked: Race, python: str = sys.executable) -> Run:
    """Run one of ``contenders`` by the interpreter of its environment."""
    with lean_server(asked.latency_s) as url:
        places = [url, str(asked.folder / "images"), str(asked.folder / "prompt.txt")]
        words = [str(_CONTENDERS), name, *places, str(asked.count), str(asked.concurrency)]
        return measured(name, words, url, asked, python=python)


def run_curator(
    asked: Race, ledger: str = "race.db", *, name: str = "curator run", build: Path = ROOT
) -> Run:
    """Run ``curator run`` of a ``build`` as a user would: ledger, validation and log are on."""
    with lean_server(asked.latency_s) as url:
        words = [
            *("-m", "curator", "run", "--catalog", str(asked.folder / "images")),
            *("--keys", str(asked.folder / "keys.txt"), "--ledger", str(asked.folder / ledger)),
            # By the name that builds of before know, too.
            *("--base-url", url, "--concurrency", str(asked.concurrency)),
            *("--limit", str(asked.count)),
        ]
        return measured(name, words, url, asked, build=build)
