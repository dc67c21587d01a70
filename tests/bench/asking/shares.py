"""Where the CPU time of a request goes: each part of ``curator run`` alone, on the course."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Awaitable, Callable, Iterator
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory

import structlog

from curator.gemini import Gemini, read_reply
from curator.images import prepare_photo
from curator.judging import judge
from curator.keyfile import read_keys
from curator.ledger import (
    Attempt,
    Campaign,
    ItemChange,
    Ledger,
    Outcome,
    Result,
    TokenUse,
    WorkState,
    migrate,
)
from curator.prompt import Prompt
from shared.events import SecretMask, set_up_events
from shared.records import ImageRef, Listing
from tests.bench.asking.contenders import KEYS, MODEL
from tests.bench.asking.lean_server import REPLY
from tests.bench.asking.race import CONCURRENCY, lean_server

TIMES = 1_000
ROUNDS = 3
PROMPT = Prompt(10, 1)
BODY = REPLY.partition(b"\r\n\r\n")[2].decode()


def cpu_shares(folder: Path) -> dict[str, float]:
    """Return the CPU milliseconds a request of each part; ``folder`` holds the race's course."""
    photos = cycle(sorted((folder / "images").glob("*.jpg")))
    reply = read_reply(BODY)
    return {
        "HTTP, through the SDK's client": asyncio.run(_http_ms(folder)),
        "reading and checking the photo": _least_ms(lambda: prepare_photo(next(photos))),
        "judging ten pairs": _least_ms(
            lambda: judge(reply, questions=10, answer_words=1, metadata={})
        ),
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
        async with Gemini.connected(model=MODEL, connections=CONCURRENCY, base_url=url) as gemini:

            async def ask(number: int) -> None:
                request = PROMPT.request({}, photo.jpeg, photo.longest_px)
                await gemini.generate(request, keys[number % len(keys)])

            return await _least_ms_side_by_side(ask)


async def _ledger_ms() -> float:
    reply = read_reply(BODY)
    judgement = judge(reply, questions=10, answer_words=1, metadata={})
    count = TIMES * ROUNDS
    with TemporaryDirectory() as name:
        path = Path(name) / "ledger.db"
        migrate(path)
        async with Ledger.opened(path) as ledger:
            listings = (Listing(f"L{n}", ImageRef(f"i{n}", f"{n}.jpg")) for n in range(count))
            await ledger.add_catalog("src", "f", "images", listings, 1.0)
            campaign_id = await ledger.enrol(Campaign(MODEL, PROMPT.version, 10), 1.0)

            async def write(number: int) -> None:
                item = number + 1
                attempt = Attempt(item, campaign_id, item, "fp", "p", MODEL, 1.0, 700)
                await ledger.begin(attempt)
                result = Result(
                    attempt_id=item,
                    finished_at=2.0,
                    outcome=Outcome.ANSWERED,
                    detail=reply.ending,
                    tokens=TokenUse(reply.input_tokens, reply.output_tokens, 0),
                    reply=reply.body,
                    change=ItemChange(campaign_id, item, WorkState.DONE, 0),
                    verdict=judgement.verdict,
                    facts=judgement.facts,
                )
                await ledger.finish(result)

            return await _least_ms_side_by_side(write)


def _log_ms(text: str) -> float:
    with TemporaryDirectory() as name:
        set_up_events(
            mask=SecretMask(KEYS), json_file=Path(name) / "log.jsonl", file_only=("curator.items",)
        )
        log = structlog.stdlib.get_logger("curator.items")
        least = _least_ms(
            lambda: log.info(
                "reply",
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
