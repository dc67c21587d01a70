"""The pool and the ledger together keep every quota, killed at whatever moment."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from curator.keys.asked_model import AskedModel
from curator.keys.key import Key
from curator.keys.quota import Quota, Window
from curator.keys.quota_day import day_counts_from, day_start, next_day
from curator.ledger import (
    Attempt,
    Ledger,
    Outcome,
    ProjectNews,
    Result,
    TokenUse,
)
from curator.ledger.reports.projects import LOST_FOR_S
from curator.pool.exhaustion import KeysExhausted
from curator.pool.lease import Lease
from curator.pool.pool import KeyPool, OnExhausted
from curator.pool.project import PROBE_AFTER_S
from curator.pool.records import Meter, ProjectRecord, ProjectUse
from curator.pool.usage import ARRIVAL_S, LONGEST_ARRIVAL_S, PROMPT_S
from curator.refusals.refusal import RateLimited
from shared.program.async_stopping import AsyncStopSignal
from shared.program.durations import MINUTE_S
from tests.curator.ledger.ledgers import fresh_ledger
from tests.fakes.jumping_clock import JumpingClock

QUOTAS = {"A": Quota(rpm=3, tpm=250, rpd=9), "B": Quota(rpm=2, rpd=5)}

KEYS = tuple(
    Key(label, project, f"secret-{label}", QUOTAS[project])
    for label, project in (("a1", "A"), ("a2", "A"), ("b", "B"))
)


class Begun:
    """A request that the ledger knows of: when it reached the service, and was begun by the file.

    ``is_open`` while the file has no end of it.
    """

    def __init__(self, project: str, at: float, tokens: int, started_at: float) -> None:
        self.project, self.at, self.tokens, self.started_at = project, at, tokens, started_at
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
        fresh_ledger(self.path)
        self.runner.run(self.open())

    async def open(self) -> None:
        self.stack = AsyncExitStack()
        self.ledger = await self.stack.enter_async_context(Ledger.opened(self.path))
        self.pool = KeyPool(
            KEYS,
            [AskedModel("m")],
            clock=self.clock,
            stop=AsyncStopSignal(),
            on_exhausted=OnExhausted.STOP,
            rng=random.Random(0),
            use=await self.ledger.project_use(["m"], self.clock.now()),
            records=await self.ledger.project_records(["m"]),
        )

    @rule(seconds=st.sampled_from([0.5, 7.0, 31.0, 60.0, 3600.0, 30_000.0]))
    def advance(self, seconds: float) -> None:
        self.clock.time += seconds

    @rule(
        tokens=st.integers(1, 200),
        waits_s=st.sampled_from([0.0, PROMPT_S, 0.2, 5.0, 70.0]),
        travels_s=st.floats(0.0, ARRIVAL_S - PROMPT_S),
    )
    def send(self, tokens: int, waits_s: float, travels_s: float) -> None:
        self.runner.run(self._send(tokens, waits_s, travels_s))

    async def _send(self, tokens: int, waits_s: float, travels_s: float) -> None:
        try:
            lease = await self.pool.lease({"m": tokens})
        except KeysExhausted:
            return
        project = lease.key.project
        attempt = Attempt(self.ledger.new_attempt_id(), 1, 1, "fp", project, "m", lease.at, tokens)
        await self.ledger.begin(attempt)
        assert lease.at >= self.closed_until[project]
        started_at = lease.at
        self.pool.waits(lease)
        self.clock.time += waits_s
        self.pool.left(lease)
        begun = Begun(project, self.clock.now() + travels_s, tokens, started_at)
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
        result = Result(
            attempt.attempt_id,
            self.clock.now(),
            Outcome.ANSWERED,
            tokens=tokens,
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
        project = lease.key.project
        self.closed_until[project] = max(self.closed_until[project], now + named - 1e-6)
        if window is Window.DAY:
            self.closed_until[project] = min(self.closed_until[project], next_day(now))
        self.runner.run(self._refused(attempt, lease, record))

    async def _refused(self, attempt: Attempt, lease: Lease, record: ProjectRecord) -> None:
        now = self.clock.now()
        late = lease.left_late_at
        refused = Result(attempt.attempt_id, now, Outcome.RATE_LIMITED, started_at=late)
        await self.ledger.finish(refused, ProjectNews(record, now))

    @rule()
    def crash(self) -> None:
        # What was in flight is never settled; the file is all that is left.
        self.in_flight.clear()
        self.runner.run(self.stack.aclose())
        self.runner.run(self.open())

    @invariant()
    def no_window_is_over_its_quota(self) -> None:
        now = self.clock.now()
        for project, quota in QUOTAS.items():
            mine = [request for request in self.begun if request.project == project]
            mine.sort(key=lambda request: request.at)
            for last in mine[-4:]:
                minute = [request for request in mine if last.at - MINUTE_S < request.at <= last.at]
                assert len(minute) <= quota.rpm
                assert quota.tpm is None or sum(request.tokens for request in minute) <= quota.tpm
            assert sum(request.at >= day_start(now) for request in mine) <= quota.rpd

    @invariant()
    def the_ledger_counts_each_lease_once(self) -> None:
        now = self.clock.now()
        use = self.runner.run(self.ledger.project_use(["m"], now))
        for project in QUOTAS:
            mine = [request for request in self.begun if request.project == project]
            counted = use.get(Meter(project, "m"), ProjectUse())
            since = day_counts_from(now)
            assert counted.today == sum(request.started_at >= since for request in mine)
            recent = [
                (now if request.is_open else request.started_at, request.tokens)
                for request in mine
                if request.started_at
                > now - (LOST_FOR_S if request.is_open else MINUTE_S + LONGEST_ARRIVAL_S)
            ]
            assert sorted(counted.last_minute) == sorted(recent)

    def teardown(self) -> None:
        self.runner.run(self.stack.aclose())
        self.runner.close()
        self.folder.cleanup()


TestQuotaThroughCrashes = QuotaThroughCrashes.TestCase

TestQuotaThroughCrashes.settings = settings(max_examples=20, stateful_step_count=30, deadline=None)
