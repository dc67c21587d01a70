"""What follows where a tier is not to be had: now, or with a model at all."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from curator.campaign.failures.shedding import Shedding
from curator.campaign.results import Results, Try
from curator.campaign.waiting.jobs import Job
from curator.ledger import Outcome, ProjectNews
from shared.endpoints.pool.pool import KeyPool
from shared.endpoints.refusals.refusal import ModelRefused, Shed, TierRefused
from shared.errors import InputError
from shared.program.async_stopping import AsyncStopSignal
from shared.program.clock import Clock
from shared.program.reporting.event_log import EventLog

log = EventLog(__name__)


@dataclass(slots=True)
class TierTrouble:
    """Draws what follows where requests are shed, or a model is not served at their tier."""

    pool: KeyPool
    clock: Clock
    stop: AsyncStopSignal
    rng: random.Random
    results: Results
    shedding: Shedding

    async def wait_for_room(self, tried: Try, refusal: Shed) -> Sequence[Job]:
        """Let an item wait until its tier has room: neither item, key nor service failed.

        Raises:
            NoRoom: it has had none for long.
            StopRequested: the run is to stop.
        """
        self.pool.unanswered(tried.lease)
        self.results.finish(tried, Outcome.SHED, refusal.reason)
        item, now = tried.item, self.clock.now()
        wait_s = self.shedding.shed(item.key, refusal.retry_after_s, now, self.rng)
        await self.stop.sleep(self.clock, wait_s)
        return (item,)

    def leave_tier(self, tried: Try, refusal: TierRefused) -> None:
        """Ask no more for a model that is not served at the tier; at another it costs more.

        Raises:
            InputError: there is no other model.
        """
        model, reason = tried.lease.model, refusal.reason
        self.pool.taken(tried.lease)
        if not self.pool.others_serve(model):
            self.results.finish(tried, Outcome.BAD_REQUEST, reason)
            raise InputError(
                f"{model} is not served at --tier {tried.tier} ({reason}); give another --model, "
                "or --tier standard at the list price"
            )
        told = ModelRefused(f"not served at --tier {tried.tier}: {reason}")
        now = self.clock.now()
        news = [ProjectNews(record, now) for record in self.pool.close_model(model, told)]
        if news:
            log.warning("model_lacks_tier", model=model, tier=tried.tier, why=reason)
        self.results.finish(tried, Outcome.NOT_SERVED, reason, news=news)
