"""What a seed sets up: a catalogue, keys with quotas, a service with every fault it knows."""

from __future__ import annotations

import asyncio
import contextlib
import io
import random
from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from curator.rehearsal.faults import Fault
from curator.rehearsal.server import RehearsalServer
from shared.program.clock import Clock
from tests.curator.campaigns import Campaign, rehearsal_of
from tests.curator.pictures import write_abo

MODEL: Final = "gemini-3.5-flash-lite"
KEYS: Final = {f"project-{n}": f"AIzaSyChaosKeyNumber{n:04}" for n in range(4)}
"""A key of each project; the last one dies."""
DAMAGED: Final = "a fifth of its pages overwritten"
OF_JOBS: Final = (
    *("late", "empty", "blank", "failed", "expired", "cancelled", "gone", "unknown_state"),
    *("shuffled", "output_late", "create_dropped", "create_refused"),
)
OF_REQUESTS_OF_JOBS: Final = (
    *("swapped", "missing", "row_error", "twice", "broken_line", "nonsense"),
    *("upload_failed", "upload_dropped", "look_failed", "look_cut"),
    *("download_failed", "download_cut"),
)


@dataclass
class Captured:
    """Keeps what is written to standard output and standard error."""

    stream: io.StringIO = field(default_factory=io.StringIO)
    everything: list[str] = field(default_factory=list)

    def readouterr(self) -> tuple[str, str]:
        """Return nothing, and what was written since it was asked last."""
        text = self.stream.getvalue()
        self.stream.seek(0)
        self.stream.truncate()
        self.everything.append(text)
        return "", text

    @contextmanager
    def catching(self) -> Iterator[None]:
        """Catch what the block writes."""
        with contextlib.redirect_stderr(self.stream), contextlib.redirect_stdout(self.stream):
            yield


class Service:
    """A rehearsal that can go away and come back at its address, with all that it counted."""

    def __init__(self, server: RehearsalServer) -> None:
        self.server = server
        self.url = ""
        self._serving = AsyncExitStack()

    async def open(self) -> None:
        """Listen, where it listened before."""
        port = int(self.url.rpartition(":")[2]) if self.url else 0
        self.url = await self._serving.enter_async_context(self.server.serving(port=port))

    async def close(self) -> None:
        """Listen no more; what is in flight is broken off after a moment."""
        await self._serving.aclose()


@dataclass
class Scene:
    """A campaign of ``listings`` and its service, with the die that decides what befalls them.

    ``tried`` counts what was done to it, ``in_flight`` is how many requests may have been answered
    without the ledger knowing.
    """

    seed: int
    listings: int
    die: random.Random
    campaign: Campaign
    service: Service
    captured: Captured
    concurrency: int
    tried: Counter[str] = field(default_factory=Counter)
    in_flight: int = 0

    @property
    def keys_file(self) -> Path:
        """The keys, with the quotas that the service keeps."""
        return self.campaign.folder / "keys.toml"

    is_away: bool = False
    verify: float = 0.0

    def beside(self, suffix: str) -> Path:
        """Return the ledger's file with that suffix."""
        return self.campaign.ledger.with_name(self.campaign.ledger.name + suffix)

    async def go_away(self) -> None:
        """Have the service listen no more."""
        self.is_away = True
        self.tried["the service was away"] += 1
        await self.service.close()

    async def come_back(self) -> None:
        """Have it listen again."""
        await self.service.open()
        self.is_away = False

    async def until_asked(self, more: int) -> None:
        """Wait until the service got so many more requests."""
        wanted = self.campaign.requests + more
        while self.campaign.requests < wanted:  # noqa: ASYNC110 - the server is watched from outside
            await asyncio.sleep(0.001)

    def broken_off(self, how: str) -> None:
        """Note that a run was broken off."""
        self.tried[how] += 1
        self.in_flight += self.concurrency


@asynccontextmanager
async def set_up(
    seed: int,
    folder: Path,
    clock: Clock,
    *,
    listings: int,
    quotas: Mapping[str, Mapping[str, int]],
    faults: Collection[Fault] = tuple(Fault),
) -> AsyncIterator[Scene]:
    """Set the scene of a seed in ``folder``: ``quotas`` by project, ``faults`` of requests."""
    die = random.Random(seed)
    catalog = write_abo(folder / "abo", listings)
    work = folder / "work"
    work.mkdir()
    server = rehearsal_of(
        folder, catalog / "images" / "small", clock, **_script(die, seed, quotas, faults)
    )
    service, captured = Service(server), Captured()
    await service.open()
    try:
        campaign = Campaign(work, catalog, server, service.url, captured)
        scene = Scene(
            seed, listings, die, campaign, service, captured, concurrency=die.choice([2, 8, 24])
        )
        scene.verify = die.choice([0.0, 0.0, 0.2])
        scene.keys_file.write_text("".join(_keys(quotas)))
        yield scene
    finally:
        await service.close()


def _script(
    die: random.Random,
    seed: int,
    quotas: Mapping[str, Mapping[str, int]],
    faults: Collection[Fault],
) -> dict[str, Any]:
    severity = die.choice([0.0, 0.004, 0.015])
    *living, dying = KEYS
    dies = die.choice(["invalid", "expired", "leaked", "suspended", "denied", "unpaid"])
    jobs = [{"kind": kind, "rate": 0.04} for kind in OF_JOBS]
    jobs += [{"kind": kind, "rate": 0.04} for kind in OF_REQUESTS_OF_JOBS]
    return {
        "seed": seed,
        "accept_unlisted_keys": False,
        "project": [{"name": project, **quotas[project]} for project in KEYS],
        "key": [
            *(
                {"api_key": KEYS[project], "label": project, "project": project}
                for project in living
            ),
            {
                "api_key": KEYS[dying],
                "label": dying,
                "project": dying,
                "state": dies,
                "valid_for": die.randrange(20),
            },
        ],
        "fault": [{"kind": str(kind), "rate": severity} for kind in faults] if severity else [],
        "latency": {"mean_ms": die.choice([0, 5, 30]), "jitter_ms": 5, "slow_ms": 300},
        "flex": {"shed": 0.1, "downgraded": 0.05},
        "batch": {"fault": jobs if severity else [], "running_s": 600},
    }


def _keys(quotas: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    for project, secret in KEYS.items():
        limits = "".join(f"{name} = {value}\n" for name, value in quotas[project].items())
        yield f'[[key]]\nlabel = "{project}"\nproject = "{project}"\napi_key = "{secret}"\n{limits}'
