"""A ledger into which the benches write: requests begun, and answered with ten pairs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from curator.judging.judge import judge
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
from curator.prompts.prompt import Prompt
from shared.endpoints.keys.asked_model import AskedModel
from shared.endpoints.protocols.gemini_wire import read_reply
from shared.records import ImageRef, Listing
from tests.bench.asking.contenders import MODEL
from tests.bench.asking.lean_server import REPLY

BODY = REPLY.partition(b"\r\n\r\n")[2].decode()


@asynccontextmanager
async def writing(path: Path, count: int) -> AsyncIterator[Callable[[int], Awaitable[None]]]:
    """Make a ledger with ``count`` items; yield what begins and finishes the request about one.

    It takes the item's number, from 1 on.
    """
    reply = read_reply(BODY)
    judgement = judge(reply, Prompt(10, 1), image="", metadata={})
    migrate(path)
    async with Ledger.opened(path) as ledger:
        listings = (Listing(f"L{n}", ImageRef(f"i{n}", f"{n}.jpg")) for n in range(count))
        await ledger.add_catalog("src", "f", "images", listings, 1.0)
        campaign_id = await ledger.enrol(Campaign((AskedModel(MODEL),), "1-abc", 10), 1.0)

        async def write(item: int) -> None:
            attempt_id = ledger.new_attempt_id()
            await ledger.begin(Attempt(attempt_id, campaign_id, item, "fp", "p", MODEL, 1.0, 700))
            result = Result(
                attempt_id=attempt_id,
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

        yield write
