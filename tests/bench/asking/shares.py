"""Where the CPU time of a request goes: each part of ``curator run`` alone, on the course."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Awaitable, Callable, Iterator
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory

from curator.judging.judge import judge
from curator.prompts.prompt import Prompt
from shared.endpoints.image_encoding import prepare_photo
from shared.endpoints.keys.keyfile import read_keys
from shared.endpoints.protocols.gemini import Gemini
from shared.endpoints.protocols.gemini_wire import read_reply
from shared.program.reporting.events import info_writer, set_up_events
from shared.program.reporting.secret_mask import SecretMask
from tests.bench.asking.contenders import KEYS, MODEL
from tests.bench.asking.race import lean_server
from tests.bench.asking.results import BODY, writing

TIMES = 1_000
ROUNDS = 3
CONCURRENCY = 100
PROMPT = Prompt(10, 1)


def cpu_shares(folder: Path) -> dict[str, float]:
    """Return the CPU milliseconds a request of each part; ``folder`` holds the race's course."""
    photos = cycle(sorted((folder / "images").glob("*.jpg")))
    reply = read_reply(BODY)
    return {
        "HTTP, as the SDK would send it": asyncio.run(_http_ms(folder)),
        "reading and checking the photo": _least_ms(lambda: prepare_photo(next(photos))),
        "judging ten pairs": _least_ms(lambda: judge(reply, PROMPT, image="", metadata={})),
        "attempt, reply and pairs in the ledger": asyncio.run(_ledger_ms()),
        "a line in the log": _log_ms(reply.text),
    }


def _cpu_ms() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return 1000 * (used.ru_utime + used.ru_stime)


def _least_ms(part: Callable[[], object]) -> float:
    rounds = []
    for _ in range(ROUNDS):
        started = _cpu_ms()
        for _ in range(TIMES):
            part()
        rounds.append((_cpu_ms() - started) / TIMES)
    return min(rounds)


async def _least_ms_side_by_side(part: Callable[[int], Awaitable[object]]) -> float:
    rounds = []
    for turn in range(ROUNDS):
        waiting = iter(range(turn * TIMES, (turn + 1) * TIMES))

        started = _cpu_ms()
        await asyncio.gather(*(_work(waiting, part) for _ in range(CONCURRENCY)))
        rounds.append((_cpu_ms() - started) / TIMES)
    return min(rounds)


async def _work(waiting: Iterator[int], part: Callable[[int], Awaitable[object]]) -> None:
    for number in waiting:
        await part(number)


async def _http_ms(folder: Path) -> float:
    keys = read_keys(folder / "keys.txt")
    photo = prepare_photo(next((folder / "images").glob("*.jpg")))
    with lean_server() as url:
        async with Gemini.connected(connections=CONCURRENCY, base_url=url) as gemini:

            async def ask(number: int) -> None:
                request = PROMPT.request({}, photo.jpeg, photo.longest_px)
                await gemini.generate(request, keys[number % len(keys)], MODEL)

            return await _least_ms_side_by_side(ask)


async def _ledger_ms() -> float:
    with TemporaryDirectory() as name:
        async with writing(Path(name) / "ledger.db", TIMES * ROUNDS) as write:
            return await _least_ms_side_by_side(lambda number: write(number + 1))


def _log_ms(text: str) -> float:
    with TemporaryDirectory() as name:
        set_up_events(
            mask=SecretMask(KEYS), json_file=Path(name) / "log.jsonl", file_only=("curator.items",)
        )
        write = info_writer("curator.items", "reply")
        least = _least_ms(
            lambda: write(
                listing="000001",
                image="000001.jpg",
                key="key 1",
                prompt_version=PROMPT.version,
                attempt=1,
                ending="STOP",
                form="json",
                response=text,
                accepted=10,
                rejected=0,
            )
        )
        set_up_events()
    return least
