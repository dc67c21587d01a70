"""A campaign on simulated days: the real pool on the real ledger, judged by the rehearsal's book.

Requests wait for their connection now and then, travel, are answered, refused for good, or lost in
a crash, of which only the file remains. What arrived is laid before ``QuotaBook`` afterwards, which
shares nothing with the pool but the calendar.
"""

from __future__ import annotations

import asyncio
import heapq
import math
import random
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from curator.ledger import (
    Attempt,
    Campaign,
    ItemChange,
    Ledger,
    Outcome,
    ProjectNews,
    Result,
    TokenUse,
    WorkItem,
    WorkState,
)
from curator.rehearsal.quota_book import PacificDays, ProjectLimits, QuotaBook
from shared.endpoints.keys.asked_model import AskedModel
from shared.endpoints.keys.key import Key
from shared.endpoints.keys.quota_day import CLOCK_S, day_start
from shared.endpoints.pool.exhaustion import KeysExhausted, OnExhausted
from shared.endpoints.pool.lease import Lease
from shared.endpoints.pool.pool import KeyPool
from shared.endpoints.pool.records import Meter
from shared.endpoints.pool.usage import ARRIVAL_S, PROMPT_S
from shared.endpoints.refusals.refusal import ModelRefused
from shared.program.async_stopping import AsyncStopSignal
from shared.program.durations import DAY_S, MINUTE_S
from tests.curator.ledger.ledgers import fresh_ledger, listings
from tests.fakes.jumping_clock import JumpingClock

LATENCY_S = 4.0
BATCH = 200
MIDNIGHT = day_start(1_780_000_000.0)


class Arriving(JumpingClock):
    """Lets what is under way happen in its time, however far a sleep goes."""

    def __init__(self, now: float) -> None:
        super().__init__(now)
        self.events: list[tuple[float, int, _Event]] = []
        self.numbers = 0

    def at(self, when: float, event: _Event) -> None:
        self.numbers += 1
        heapq.heappush(self.events, (when, self.numbers, event))

    async def sleep(self, seconds: float) -> None:
        until = self.time + max(0.0, seconds)
        if self.events and self.events[0][0] <= until:
            when, _, event = heapq.heappop(self.events)
            self.time = max(self.time, when)
            event.happen()
        else:
            self.time = until
        await asyncio.sleep(0)


@dataclass
class _Event:
    days: QuotaDays
    lease: Lease
    attempt: Attempt
    leaves: bool

    def happen(self) -> None:
        (self.days.leave if self.leaves else self.days.answer)(self.lease, self.attempt)


class QuotaDays:
    """Keys and models at work on a catalogue that never runs out, from midnight on."""

    def __init__(
        self,
        folder: Path,
        keys: Sequence[Key],
        models: Sequence[AskedModel],
        tokens: Mapping[str, int],
        images: int,
    ) -> None:
        self.path = fresh_ledger(folder / "l.db")
        # By the server's clock, too, it is the new day.
        self.started = MIDNIGHT + CLOCK_S
        self.clock = Arriving(self.started)
        self.keys, self.models, self.tokens, self.images = list(keys), models, tokens, images
        self.quotas = {
            Meter(key.project, model.name): model.quota_with(key.quota)
            for key in keys
            for model in models
        }
        self.closing: dict[Meter, float] = {}
        self.arrivals: list[tuple[float, Meter]] = []
        self.answers: Counter[int] = Counter()
        self._stack = AsyncExitStack()
        self._dice = random.Random(0)
        self._begun: list[Attempt] = []
        self._over: list[tuple[Result, list[ProjectNews]]] = []
        self._refused: set[int] = set()
        self._waiting: deque[WorkItem] = deque()

    async def open(self) -> None:
        self.ledger = await self._stack.enter_async_context(Ledger.opened(self.path))
        await self.ledger.add_catalog("c", "f", "images", listings(self.images), 1.0)
        self.campaign_id = await self.ledger.enrol(Campaign(self.models, "1-abc", 3), 1.0)
        names, now = [model.name for model in self.models], self.clock.now()
        self._rank = 0
        self._waiting.clear()
        self.pool = KeyPool(
            self.keys,
            self.models,
            clock=self.clock,
            stop=AsyncStopSignal(),
            on_exhausted=OnExhausted.STOP,
            rng=random.Random(0),
            untried=self.keys,
            use=await self.ledger.project_use(names, now),
            records=await self.ledger.project_records(names),
        )

    async def close(self) -> None:
        await self._write()
        await self._stack.aclose()

    async def crash(self) -> None:
        """Lose what is under way, as a kill does, and start again from the file."""
        self.clock.events.clear()
        self._over.clear()
        self._begun.clear()
        await self._stack.aclose()
        await self.open()

    async def work(self, seconds: float) -> None:
        """Send all that the pool lets go for so long."""
        ends = self.clock.now() + seconds
        while self.clock.now() < ends:
            try:
                lease = await self.pool.lease(self.tokens)
            except KeysExhausted as exhausted:
                until = min(ends, exhausted.opens_at or math.inf)
                await self.clock.sleep(max(0.0, until - self.clock.now()))
                continue
            if lease.at >= ends:
                self.pool.give_back(lease)
                break
            await self._send(lease)
        while self.clock.now() < ends:
            await self.clock.sleep(ends - self.clock.now())
        await self._write()

    async def _send(self, lease: Lease) -> None:
        image = await self._next_image()
        project, model = lease.meter
        tokens = self.tokens[model]
        number = self.ledger.new_attempt_id()
        attempt = Attempt(number, self.campaign_id, image, "fp", project, model, lease.at, tokens)
        self._begun.append(attempt)
        waits_s = self._dice.choices((0.0, 0.01, 0.2, 3.0), (960, 30, 9, 1))[0]
        self.pool.waits(lease)
        self.clock.at(lease.at + waits_s, _Event(self, lease, attempt, leaves=True))
        self.clock.at(lease.at + waits_s + LATENCY_S, _Event(self, lease, attempt, leaves=False))
        if len(self._begun) >= BATCH:
            await self._write()

    async def _next_image(self) -> int:
        if not self._waiting:
            self._waiting.extend(await self.ledger.pending(self.campaign_id, self._rank, 500))
            assert self._waiting, "the catalogue is too small for what the quotas allow"
            self._rank = self._waiting[-1].rank
        return self._waiting.popleft().item_id

    def leave(self, lease: Lease, attempt: Attempt) -> None:
        self.pool.left(lease)
        if self.clock.now() >= self.closing.get(lease.meter, math.inf):
            # Refused before any quota is counted.
            self._refused.add(attempt.attempt_id)
            return
        travels_s = self._dice.uniform(0.0, ARRIVAL_S - PROMPT_S)
        self.arrivals.append((self.clock.now() + travels_s, lease.meter))

    def answer(self, lease: Lease, attempt: Attempt) -> None:
        now, late = self.clock.now(), lease.left_late_at
        self.pool.over(lease)
        if attempt.attempt_id in self._refused:
            told = self.pool.close(lease, ModelRefused("404"))
            news = [ProjectNews(record, now) for record in told]
            result = Result(attempt.attempt_id, now, Outcome.NOT_SERVED, started_at=late)
            self._over.append((result, news))
            return
        record = self.pool.settle(lease, attempt.reserved_tokens)
        self.answers[attempt.item_id] += 1
        change = ItemChange(self.campaign_id, attempt.item_id, WorkState.DONE, 0)
        spent = TokenUse(attempt.reserved_tokens, 1, 0)
        result = Result(
            attempt.attempt_id, now, Outcome.ANSWERED, tokens=spent, change=change, started_at=late
        )
        self._over.append((result, [ProjectNews(record, now)] if record else []))

    async def _write(self) -> None:
        begun, self._begun = self._begun, []
        over, self._over = self._over, []
        await asyncio.gather(*map(self.ledger.begin, begun))
        await asyncio.gather(*(self.ledger.finish(result, *news) for result, news in over))

    def a_minute(self, meter: Meter) -> float:
        """Return the requests that the windows of a meter allow a minute."""
        quota, tokens = self.quotas[meter], self.tokens[meter.model]
        return min(
            math.inf if quota.rpm is None else quota.rpm,
            math.inf if quota.tpm is None else quota.tpm // tokens,
        )

    def allowed(self, meter: Meter) -> float:
        """Return the requests that the windows of a meter allowed since the first midnight."""
        quota, a_minute = self.quotas[meter], self.a_minute(meter)
        passed = min(self.clock.now(), self.closing.get(meter, math.inf)) - self.started
        full_days, rest = divmod(passed, DAY_S)
        spans = [DAY_S] * int(full_days) + [rest]
        a_day = math.inf if quota.rpd is None else quota.rpd
        return sum(min(a_day, a_minute * span / MINUTE_S) for span in spans)

    @property
    def share(self) -> float:
        """What arrived, of all that the windows of all projects and models allowed."""
        return len(self.arrivals) / sum(map(self.allowed, self.quotas))

    def check_windows(self) -> None:
        """Assert that a server would have taken every request that arrived."""
        book = QuotaBook(PacificDays(0.0))
        limits = {
            meter: ProjectLimits(rpm=quota.rpm, tpm=quota.tpm, rpd=quota.rpd)
            for meter, quota in self.quotas.items()
        }
        for at, meter in sorted(self.arrivals):
            tokens = self.tokens[meter.model]
            over = book.admit(meter.project, meter.model, limits[meter], tokens, at)
            assert over is None, (at - self.started, meter, over)

    def check_closed(self) -> None:
        """Assert that nothing was sent to what is closed, apart from what was under way."""
        for at, meter in self.arrivals:
            assert at < self.closing.get(meter, math.inf) + ARRIVAL_S

    async def check_images(self) -> None:
        """Assert that each image was answered once at most, and the ledger says which."""
        progress = await self.ledger.progress(self.campaign_id)
        assert progress.done <= len(self.answers)
        assert max(self.answers.values(), default=1) == 1
