"""The pool and the ledger together keep every quota of several models, killed at any moment."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from curator.ledger import (
    Attempt,
    ItemChange,
    Ledger,
    Outcome,
    ProjectNews,
    Result,
    TokenUse,
    WorkState,
)
from curator.ledger.reports.projects import LOST_FOR_S
from shared.endpoints.keys.asked_model import AskedModel
from shared.endpoints.keys.key import Key
from shared.endpoints.keys.quota import Quota, Window
from shared.endpoints.keys.quota_day import day_counts_from, day_start, next_day
from shared.endpoints.pool.exhaustion import KeysExhausted, NoProjectMayUse, OnExhausted
from shared.endpoints.pool.lease import Lease
from shared.endpoints.pool.pool import KeyPool
from shared.endpoints.pool.project import PROBE_AFTER_S
from shared.endpoints.pool.records import Meter, ProjectRecord, ProjectUse
from shared.endpoints.pool.usage import ARRIVAL_S, LONGEST_ARRIVAL_S, PROMPT_S
from shared.endpoints.refusals.refusal import ModelRefused, RateLimited
from shared.program.async_stopping import AsyncStopSignal
from shared.program.durations import MINUTE_S
from tests.curator.ledger.ledgers import enrolled, fresh_ledger
from tests.fakes.jumping_clock import JumpingClock

OF_PROJECT = {"A": Quota(rpm=3, tpm=250, rpd=9), "B": Quota(rpm=2, rpd=5)}
MODELS = (AskedModel("m"), AskedModel("n", Quota(rpm=1, rpd=3)))
QUOTAS = {
    Meter(project, model.name): model.quota_with(quota)
    for project, quota in OF_PROJECT.items()
    for model in MODELS
}
IMAGES = 60

NAMES = [model.name for model in MODELS]
KEYS = tuple(
    Key(label, project, f"secret-{label}", OF_PROJECT[project])
    for label, project in (("a1", "A"), ("a2", "A"), ("b", "B"))
)


class Begun:
    """A request that the ledger knows of: when it reached the service, and was begun by the file.

    ``is_open`` while the file has no end of it.
    """

    def __init__(self, meter: Meter, at: float, tokens: int, started_at: float) -> None:
        self.meter, self.at, self.tokens, self.started_at = meter, at, tokens, started_at
        self.is_open = True

    def finish(self, lease: Lease) -> None:
        self.is_open = False
        self.started_at = lease.left_late_at or self.started_at


class QuotaThroughCrashes(RuleBasedStateMachine):
    """The pool and the ledger together, killed and reopened at any moment."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = TemporaryDirectory()
        self.path = Path(self.folder.name) / "l.db"
        self.clock = JumpingClock()
        self.begun: list[Begun] = []
        self.in_flight: list[tuple[Lease, Attempt, Begun]] = []
        self.closed_until = dict.fromkeys(QUOTAS, 0.0)
        self.closed: set[Meter] = set()
        self.answered: Counter[int] = Counter()
        fresh_ledger(self.path)
        self.runner.run(self.open())
        self.campaign_id = self.runner.run(enrolled(self.ledger, IMAGES))

    async def open(self) -> None:
        self.stack = AsyncExitStack()
        self.ledger = await self.stack.enter_async_context(Ledger.opened(self.path))
        self.pool = KeyPool(
            KEYS,
            MODELS,
            clock=self.clock,
            stop=AsyncStopSignal(),
            on_exhausted=OnExhausted.STOP,
            rng=random.Random(0),
            use=await self.ledger.project_use(NAMES, self.clock.now()),
            records=await self.ledger.project_records(NAMES),
        )

    @rule(seconds=st.sampled_from([0.5, 7.0, 31.0, 60.0, 3600.0, 30_000.0]))
    def advance(self, seconds: float) -> None:
        self.clock.time += seconds

    @rule(
        tokens=st.integers(1, 200),
        avoided=st.sampled_from(["", "m"]),
        waits_s=st.sampled_from([0.0, PROMPT_S, 0.2, 5.0, 70.0]),
        travels_s=st.floats(0.0, ARRIVAL_S - PROMPT_S),
    )
    def send(self, tokens: int, avoided: str, waits_s: float, travels_s: float) -> None:
        self.runner.run(self._send(tokens, avoided, waits_s, travels_s))

    async def _send(self, tokens: int, avoided: str, waits_s: float, travels_s: float) -> None:
        under_way = {attempt.item_id for _, attempt, _ in self.in_flight}
        waiting = await self.ledger.pending(self.campaign_id, 0, IMAGES)
        image = next((item.item_id for item in waiting if item.item_id not in under_way), None)
        if image is None:
            return
        tokens_by_model = {"m": tokens, "n": max(1, tokens // 2)}
        try:
            lease = await self.pool.lease(tokens_by_model, avoided)
        except (KeysExhausted, NoProjectMayUse):
            return
        project, model = lease.meter
        tokens = tokens_by_model[model]
        number = self.ledger.new_attempt_id()
        attempt = Attempt(number, self.campaign_id, image, "fp", project, model, lease.at, tokens)
        await self.ledger.begin(attempt)
        assert lease.at >= self.closed_until[lease.meter]
        assert lease.meter not in self.closed
        started_at = lease.at
        self.pool.waits(lease)
        self.clock.time += waits_s
        self.pool.left(lease)
        begun = Begun(lease.meter, self.clock.now() + travels_s, tokens, started_at)
        self.begun.append(begun)
        self.in_flight.append((lease, attempt, begun))

    async def finish(self, result: Result) -> None:
        await self.ledger.finish(result)

    @precondition(lambda self: self.in_flight)
    @rule(data=st.data())
    def answer(self, data) -> None:
        lease, attempt, begun = self.in_flight.pop(
            data.draw(st.integers(0, len(self.in_flight) - 1))
        )
        begun.tokens = data.draw(st.integers(1, begun.tokens))
        self.clock.time = max(self.clock.time, begun.at)
        self.pool.over(lease)
        self.pool.settle(lease, begun.tokens)
        tokens = TokenUse(begun.tokens, 1, 0)
        self.answered[attempt.item_id] += 1
        result = Result(
            attempt.attempt_id,
            self.clock.now(),
            Outcome.ANSWERED,
            tokens=tokens,
            change=ItemChange(self.campaign_id, attempt.item_id, WorkState.DONE, 0),
            started_at=lease.left_late_at,
        )
        begun.finish(lease)
        self.runner.run(self.finish(result))

    @precondition(lambda self: self.in_flight)
    @rule(window=st.sampled_from(Window), delay=st.sampled_from([None, 12.0, 90.0]))
    def refuse(self, window: Window, delay: float | None) -> None:
        lease, attempt, begun = self.in_flight.pop()
        self.clock.time = max(self.clock.time, begun.at)
        self.pool.over(lease)
        begun.finish(lease)
        refusal = RateLimited("429", window=window, retry_after_s=delay, limits=Quota())
        record = self.pool.cool_down(lease, refusal)
        now = self.clock.now()
        # A day's refusal allows one probe, which the pool's own tests look at: keep out of it.
        named = PROBE_AFTER_S if window is Window.DAY else delay or 0.0
        meter = lease.meter
        self.closed_until[meter] = max(self.closed_until[meter], now + named - 1e-6)
        if window is Window.DAY:
            self.closed_until[meter] = min(self.closed_until[meter], next_day(now))
        self.runner.run(self._refused(attempt, lease, record))

    async def _refused(self, attempt: Attempt, lease: Lease, record: ProjectRecord) -> None:
        now = self.clock.now()
        late = lease.left_late_at
        refused = Result(attempt.attempt_id, now, Outcome.RATE_LIMITED, started_at=late)
        await self.ledger.finish(refused, ProjectNews(record, now))

    @precondition(lambda self: self.in_flight)
    @rule()
    def close(self) -> None:
        """The model is not served there any more, as far as this run is concerned."""
        lease, attempt, begun = self.in_flight.pop()
        self.clock.time = max(self.clock.time, begun.at)
        self.pool.over(lease)
        begun.finish(lease)
        (record,) = self.pool.close(lease, ModelRefused("404"))
        self.closed.add(lease.meter)
        self.runner.run(self._refused(attempt, lease, record))

    @rule()
    def crash(self) -> None:
        # What was in flight is never settled; the file is all that is left.
        self.in_flight.clear()
        self.closed.clear()
        self.runner.run(self.stack.aclose())
        self.runner.run(self.open())

    @invariant()
    def no_window_is_over_its_quota(self) -> None:
        now = self.clock.now()
        for meter, quota in QUOTAS.items():
            mine = [request for request in self.begun if request.meter == meter]
            mine.sort(key=lambda request: request.at)
            for last in mine[-4:]:
                minute = [request for request in mine if last.at - MINUTE_S < request.at <= last.at]
                assert len(minute) <= quota.rpm
                assert quota.tpm is None or sum(request.tokens for request in minute) <= quota.tpm
            assert sum(request.at >= day_start(now) for request in mine) <= quota.rpd

    @invariant()
    def the_ledger_counts_each_lease_once(self) -> None:
        now = self.clock.now()
        use = self.runner.run(self.ledger.project_use(NAMES, now))
        for meter in QUOTAS:
            mine = [request for request in self.begun if request.meter == meter]
            counted = use.get(meter, ProjectUse())
            since = day_counts_from(now)
            assert counted.today == sum(request.started_at >= since for request in mine)
            recent = [
                (now if request.is_open else request.started_at, request.tokens)
                for request in mine
                if request.started_at
                > now - (LOST_FOR_S if request.is_open else MINUTE_S + LONGEST_ARRIVAL_S)
            ]
            assert sorted(counted.last_minute) == sorted(recent)

    @invariant()
    def no_image_is_answered_twice(self) -> None:
        assert set(self.answered.values()) <= {1}
        progress = self.runner.run(self.ledger.progress(self.campaign_id))
        assert (progress.done, progress.total) == (self.answered.total(), IMAGES)

    def teardown(self) -> None:
        self.runner.run(self.stack.aclose())
        self.runner.close()
        self.folder.cleanup()


TestQuotaThroughCrashes = QuotaThroughCrashes.TestCase

TestQuotaThroughCrashes.settings = settings(max_examples=12, stateful_step_count=40, deadline=None)
