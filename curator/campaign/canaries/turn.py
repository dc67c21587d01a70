"""Whose canaries are due: a model's go before the first image that it is asked about on a day."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence

from curator.campaign.canaries.jobs import CanaryJob, asked_in_a_way, canary_job
from curator.campaign.canaries.telling import tell_standing
from curator.ledger import Ledger, WorkItem
from curator.status.live import LiveReport
from shared.endpoints.keys.quota_day import quota_date
from shared.endpoints.models.asked_settings import AS_THE_MODEL_CHOOSES, AskedSettings
from shared.endpoints.models.known import KnownModel
from shared.program.async_stopping import AsyncStopSignal
from shared.program.clock import Clock

AskAll = Callable[[Sequence[CanaryJob]], Awaitable[None]]


class CanariesDue(Exception):
    """A model has its canaries to answer first; never leaves the campaign."""

    def __init__(self, model: str) -> None:
        super().__init__(model)
        self.model = model


class CanaryTurn:
    """The canaries of one run: so many questions, each once a quota day of each model in use."""

    def __init__(
        self,
        count: int,
        campaign_id: int,
        ledger: Ledger,
        *,
        models: Sequence[KnownModel],
        settings: AskedSettings = AS_THE_MODEL_CHOOSES,
        live: LiveReport,
        clock: Clock,
        stop: AsyncStopSignal,
    ) -> None:
        self.count = count
        self._campaign_id = campaign_id
        self._ledger = ledger
        self._takes_temperature = {model.name: model.takes_temperature for model in models}
        self._settings = settings
        self._live = live
        self._clock = clock
        self._stop = stop
        self._chosen = 0
        self._first: set[int] = set()
        self._asked: set[tuple[str, str]] = set()
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def first(self) -> Sequence[WorkItem]:
        """Return the images to ask about before all others, so that they can be chosen."""
        await self.choose()
        if self._chosen == self.count:
            return ()
        items = await self._ledger.first_canaries(self._campaign_id, self.count)
        self._first = {item.item_id for item in items}
        return items

    async def asked_about(self, item_id: int) -> None:
        """Choose what to ask again once each image that came first was asked about."""
        if item_id in self._first:
            self._first.discard(item_id)
            if not self._first:
                await self._ledger.settled()
                await self.choose()

    async def choose(self) -> None:
        """Choose what to ask again, as far as there are images with pairs."""
        if self._chosen < self.count:
            self._chosen = await self._ledger.choose_canaries(self._campaign_id, self.count)

    def is_due(self, model: str, now: float) -> bool:
        """Return whether ``model`` has canaries to answer first."""
        return self._chosen > 0 and (model, quota_date(now)) not in self._asked

    async def ask(self, model: str, ask_all: AskAll) -> None:
        """Have ``ask_all`` ask what ``model`` has not answered today; who comes second waits."""
        async with self._turns[model]:
            now = self._clock.now()
            if not self.is_due(model, now) or self._stop.requested:
                return
            day, way = quota_date(now), asked_in_a_way(model, self._settings)
            items = await self._ledger.waiting_canaries(self._campaign_id, way, day, self.count)
            if items:
                warm = self._takes_temperature.get(model, True)
                jobs = [canary_job(item, model, takes_temperature=warm) for item in items]
                await ask_all(jobs)
                await self._tell(way, day)
            self._asked.add((model, day))

    async def _tell(self, model: str, day: str) -> None:
        await self._ledger.settled()
        days = await self._ledger.canary_days(self._campaign_id)
        self._live.canaries_asked(days)
        if not self._stop.requested:
            tell_standing([each for each in days if each.model == model], day)
