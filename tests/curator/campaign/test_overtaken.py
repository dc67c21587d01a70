"""What comes between the reservation of a request and its sending."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from curator.campaign.budget import Budget
from curator.campaign.canaries.turn import CanaryTurn
from curator.campaign.failures.holding import Holding
from curator.campaign.item_log import ItemLog
from curator.campaign.loop import Curator
from curator.campaign.model_watch import ModelWatch
from curator.campaign.results import Results
from curator.campaign.waiting.queue import waiting_items
from curator.judging.agreeing.listing_map import packaged_map
from curator.ledger import Campaign, Ledger, migrate
from curator.prompts.prompt import Prompt
from curator.prompts.prompts import Prompts
from shared.endpoints.keys.asked_model import AskedModel
from shared.endpoints.keys.key import Key
from shared.endpoints.keys.quota import Quota, Window
from shared.endpoints.models.budget_limit import NO_LIMIT
from shared.endpoints.models.known import packaged_models
from shared.endpoints.pool.exhaustion import OnExhausted
from shared.endpoints.pool.pool import KeyPool
from shared.endpoints.pool.records import Meter
from shared.endpoints.protocols.registry import Service
from shared.endpoints.refusals.refusal import RateLimited
from shared.endpoints.token_estimates import TokenEstimates
from shared.program.async_stopping import AsyncStopSignal, StopRequested
from shared.records import ImageRef, Listing
from tests.fakes.jumping_clock import JumpingClock

MODEL = packaged_models().known("m")
METER = Meter("p", MODEL.name)
MEASURE = Prompt(10, 1).request({}, b"", 256).measure


class StoppingClock(JumpingClock):
    """Asks for a stop when it is next looked at, once told to."""

    def __init__(self, stop: AsyncStopSignal) -> None:
        super().__init__()
        self.stop = stop
        self.stops = False

    def now(self) -> float:
        if self.stops:
            self.stop.request("test")
        return super().now()


@pytest.fixture
async def curator(tmp_path):
    migrate(tmp_path / "l.db")
    async with Ledger.opened(tmp_path / "l.db") as ledger:
        await ledger.add_catalog("src", "f", "images", [Listing("L", ImageRef("i", "i.jpg"))], 1.0)
        campaign_id = await ledger.enrol(Campaign((AskedModel("m"),), "1-abc", 10), 1.0)
        stop = AsyncStopSignal()
        clock = StoppingClock(stop)
        pool = KeyPool(
            [Key("k", "p", "secret-of-k", Quota(rpm=600))],
            [AskedModel(MODEL.name)],
            clock=clock,
            stop=stop,
            on_exhausted=OnExhausted.STOP,
            rng=random.Random(0),
            use={},
            records={},
        )
        results = Results(
            campaign_id,
            ledger,
            clock,
            None,
            ItemLog("0"),
            ModelWatch(packaged_models(), clock),
            stop,
        )
        yield Curator(
            campaign_id=campaign_id,
            models=[MODEL],
            service=Service.GEMINI,
            prompts=Prompts.alone(Prompt(10, 1)),
            listing_map=packaged_map(),
            images_dir=Path("images"),
            ledger=ledger,
            pool=pool,
            annotator=None,
            clock=clock,
            stop=stop,
            live=None,
            rng=random.Random(0),
            results=results,
            holding=Holding(Path("images"), results),
            estimates=(estimates := TokenEstimates(packaged_models().tile)),
            budget=Budget(NO_LIMIT, [MODEL], packaged_models(), estimates),
            canaries=CanaryTurn(
                0, campaign_id, ledger, models=[MODEL], live=None, clock=clock, stop=stop
            ),
            concurrency=1,
        )


async def counted(curator: Curator) -> tuple[int, int]:
    """Return the day's requests as the pool and as the ledger have them."""
    now = curator.clock.time
    use = await curator.ledger.project_use([MODEL.name], now)
    return curator.pool.uses(now)[METER].today, use[METER].today if METER in use else 0


async def reserved(curator: Curator, count: int) -> None:
    while curator.pool.uses(curator.clock.time)[METER].today < count:  # noqa: ASYNC110
        await asyncio.sleep(0)


async def test_a_stop_before_the_sending_gives_the_request_back(curator):
    [(item,)] = [page async for page in waiting_items(curator.ledger, curator.campaign_id)]
    curator.clock.stops = True
    with pytest.raises(StopRequested):
        await curator._begin(item, MEASURE)
    assert await counted(curator) == (0, 0)


async def test_a_cancelled_worker_gives_its_request_back(curator):
    [(item,)] = [page async for page in waiting_items(curator.ledger, curator.campaign_id)]
    beginning = asyncio.create_task(curator._begin(item, MEASURE))
    await reserved(curator, 1)
    beginning.cancel()
    with pytest.raises(asyncio.CancelledError):
        await beginning
    assert await counted(curator) == (0, 0)


async def test_a_refusal_before_the_sending_costs_no_further_request(curator):
    [(item,)] = [page async for page in waiting_items(curator.ledger, curator.campaign_id)]
    refused = await curator.pool.lease({MODEL.name: 1})
    started = curator.clock.time
    beginning = asyncio.create_task(curator._begin(item, MEASURE))
    await reserved(curator, 2)
    curator.pool.cool_down(
        refused, RateLimited("429", window=Window.MINUTE, retry_after_s=30.0, limits=Quota())
    )
    lease, attempt = await beginning
    assert lease.at == attempt.started_at >= started + 30
    # The refused one, which this test did not write down, and the one that waited.
    assert await counted(curator) == (2, 1)
