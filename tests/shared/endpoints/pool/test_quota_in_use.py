"""The real pool on the real ledger, over simulated hours, killed and reopened at any moment."""

from __future__ import annotations

import asyncio
import heapq
import math
import random
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from curator.ledger import Attempt, Ledger, Outcome, ProjectNews, Result, TokenUse, migrate
from shared.endpoints.keys.asked_model import AskedModel
from shared.endpoints.keys.key import Key
from shared.endpoints.keys.quota import Quota, Window
from shared.endpoints.keys.quota_day import day_start, next_day
from shared.endpoints.pool.exhaustion import KeysExhausted, OnExhausted
from shared.endpoints.pool.lease import Lease
from shared.endpoints.pool.pool import KeyPool
from shared.endpoints.pool.project import LONGEST_STRIKE_S, PROBE_AFTER_S
from shared.endpoints.pool.usage import ARRIVAL_S, PROMPT_S
from shared.endpoints.refusals.refusal import RateLimited
from shared.program.async_stopping import AsyncStopSignal
from shared.program.durations import MINUTE_S
from tests.fakes.jumping_clock import JumpingClock

TOKENS = 500
LATENCY_S = 4.0
FIRST_BACKOFF_S = 1.0
"""Least wait after the first 429 that names no time."""
HOUR_S = 3600.0
MIXES = {
    "free keys": [Quota(rpm=10, tpm=250_000, rpd=250)] * 5,
    "minutes alone": [Quota(rpm=rpm) for rpm in (2, 5, 7, 10, 15)],
    "tokens bind": [Quota(rpm=15, tpm=tpm) for tpm in (1_000, 2_500, 3_000, 5_000, 10_000)],
    "all kinds": [
        Quota(rpm=10),
        Quota(rpm=15, tpm=5_000),
        Quota(rpm=30, rpd=400),
        Quota(rpm=7, tpm=250_000, rpd=20),
        Quota(rpm=2),
    ],
    "paid and free": [Quota(rpm=40, tpm=100_000), *([Quota(rpm=5, rpd=100)] * 4)],
}


def allowed_in_an_hour(quota: Quota) -> float:
    """Return the requests of ``TOKENS`` that a quota allows in an hour, however they are sent."""
    a_minute = min(
        quota.rpm if quota.rpm is not None else float("inf"),
        quota.tpm // TOKENS if quota.tpm is not None else float("inf"),
    )
    return min(60 * a_minute, quota.rpd if quota.rpd is not None else float("inf"))


@dataclass(frozen=True)
class Refusal:
    """A 429 of the service, and the seconds for which it surely means no further request."""

    window: Window
    retry_after_s: float | None

    def closed_until(self, told_at: float) -> float:
        if self.window is Window.DAY:
            return next_day(told_at)
        return told_at + (FIRST_BACKOFF_S if self.retry_after_s is None else self.retry_after_s)


@dataclass
class Closed:
    """A project that was refused: since when, until when, and whether its probe was sent."""

    told_at: float
    until: float
    window: Window
    probe: int | None = None


class Arrivals(JumpingClock):
    """Lets what is in flight arrive in its time, however far a sleep goes."""

    def __init__(self) -> None:
        super().__init__()
        self.next_at: Callable[[], float] = lambda: math.inf
        self.arrive: Callable[[], None] = lambda: None

    async def sleep(self, seconds: float) -> None:
        until = self.time + max(0.0, seconds)
        if self.next_at() <= until:
            self.time = max(self.time, self.next_at())
            self.arrive()
        else:
            self.time = until
        await asyncio.sleep(0)


class Campaign:
    """Twelve keys in five projects at work; a crash loses all but the file."""

    def __init__(self, folder: Path, quotas: list[Quota]) -> None:
        self.path = folder / "l.db"
        self.clock = Arrivals()
        self.clock.next_at = lambda: min(
            (queue[0][0] for queue in (self._in_flight, self._departing) if queue),
            default=math.inf,
        )
        self.clock.arrive = self._arrive
        self.quotas = {f"p{n}": quota for n, quota in enumerate(quotas)}
        self.keys = [Key(f"k{n}", f"p{n % 5}", f"secret-{n}", quotas[n % 5]) for n in range(12)]
        self.sent: dict[str, list[float]] = {name: [] for name in self.quotas}
        # What the service will refuse: so many of the next requests of a project.
        self.refusing: dict[str, list[Refusal]] = {name: [] for name in self.quotas}
        self.closed: dict[str, Closed] = {}
        self.refused: Counter[str] = Counter()
        self.lost_s: Counter[str] = Counter()
        self._in_flight: list[tuple[float, int, Lease, Attempt]] = []
        self._departing: list[tuple[float, int, Lease]] = []
        self._dice = random.Random(0)
        self._over: list[tuple[Result, ProjectNews | None]] = []
        self._stack = AsyncExitStack()
        migrate(self.path)

    async def open(self) -> None:
        self.ledger = await self._stack.enter_async_context(Ledger.opened(self.path))
        self.pool = KeyPool(
            self.keys,
            [AskedModel("m")],
            clock=self.clock,
            stop=AsyncStopSignal(),
            on_exhausted=OnExhausted.STOP,
            rng=random.Random(0),
            use=await self.ledger.project_use(["m"], self.clock.now()),
            records=await self.ledger.project_records(["m"]),
        )

    async def close(self) -> None:
        await self._stack.aclose()

    async def crash(self) -> None:
        """Lose what is in flight, as a kill does, and start again from the file."""
        lost = {number for _, number, _, _ in self._in_flight}
        for closed in self.closed.values():
            # A probe that was lost in the crash may be sent again, like all that was in flight.
            closed.probe = None if closed.probe in lost else closed.probe
        self._in_flight.clear()
        self._departing.clear()
        await self.close()
        await self.open()

    async def work(self, seconds: float) -> None:
        """Send all that the pool lets go for ``seconds`` of simulated time."""
        ends = self.clock.now() + seconds
        begun: list[Attempt] = []
        while True:
            try:
                lease = await self.pool.lease({"m": TOKENS})
            except KeysExhausted:
                # A probe may come due in this time, or one that is in flight bring good news.
                if self.clock.now() >= ends:
                    break
                await self.clock.sleep(min(60.0, ends - self.clock.now()))
                continue
            if lease.at >= ends:
                self.pool.give_back(lease)
                break
            number = self.ledger.new_attempt_id()
            self._check_may_send(lease, number)
            attempt = Attempt(number, 1, 1, "fp", lease.key.project, "m", lease.at, TOKENS)
            begun.append(attempt)
            self._send(lease, number, attempt)
            if len(begun) == 50:
                await self._write(begun)
        # Never back: the pool has forgotten what was over by the time it waited for.
        while self.clock.now() < ends:
            await self.clock.sleep(ends - self.clock.now())
        await self._write(begun)

    def _send(self, lease: Lease, number: int, attempt: Attempt) -> None:
        """Let a request wait for its connection for a while, which is long now and then."""
        waits_s = self._dice.choices((0.0, 0.01, 0.2, 3.0), (960, 30, 9, 1))[0]
        self.pool.waits(lease)
        heapq.heappush(self._departing, (lease.at + waits_s, number, lease))
        over_at = lease.at + waits_s + LATENCY_S
        heapq.heappush(self._in_flight, (over_at, number, lease, attempt))

    def _depart(self) -> None:
        """Send the request whose time has come; it reaches the service a little later."""
        at, _, lease = heapq.heappop(self._departing)
        self.pool.left(lease)
        self.sent[lease.key.project].append(at + self._dice.uniform(0.0, ARRIVAL_S - PROMPT_S))

    def _check_may_send(self, lease: Lease, number: int) -> None:
        """Assert that a project that was refused gets nothing before its time but one probe."""
        closed = self.closed.get(lease.key.project)
        if closed is None or lease.at >= closed.until:
            return
        assert closed.window is Window.DAY, (lease.at - closed.told_at, closed)
        assert closed.probe is None
        assert lease.at >= closed.told_at + PROBE_AFTER_S
        closed.probe = number

    def _arrive(self) -> None:
        """Let the request leave, be answered or be refused whose time has come."""
        if self._departing and self._departing[0][0] <= self._in_flight[0][0]:
            self._depart()
            return
        at, number, lease, _ = heapq.heappop(self._in_flight)
        project = lease.key.project
        self.pool.over(lease)
        if self.refusing[project]:
            refusal = self.refusing[project].pop()
            self._over.append(self._refuse(number, lease, refusal))
            return
        self.pool.settle(lease, TOKENS)
        if (closed := self.closed.get(project)) and closed.probe == number:
            self.lost_s[project] -= int(closed.until - at)
            del self.closed[project]
        spent = TokenUse(TOKENS, 1, 0)
        late = lease.left_late_at
        answer = Result(number, at, Outcome.ANSWERED, tokens=spent, started_at=late)
        self._over.append((answer, None))

    def _refuse(self, number: int, lease: Lease, refusal: Refusal) -> tuple[Result, ProjectNews]:
        now, project = self.clock.now(), lease.key.project
        told = RateLimited(
            "429", window=refusal.window, retry_after_s=refusal.retry_after_s, limits=Quota()
        )
        record = self.pool.cool_down(lease, told)
        self.refused[project] += 1
        until, before = refusal.closed_until(now), self.closed.get(project)
        if before is None or until > before.until:
            probe = before.probe if before and before.window is refusal.window else None
            start = now if before is None else max(now, before.until)
            # Without a word on the time the wait grows with each refusal in a row.
            unknown_s = LONGEST_STRIKE_S if refusal.retry_after_s is None else 0.0
            is_day = refusal.window is Window.DAY
            self.lost_s[project] += math.ceil(until - start + (0.0 if is_day else unknown_s))
            self.closed[project] = Closed(now, until, refusal.window, probe)
        news = ProjectNews(record, now)
        late = lease.left_late_at
        return Result(number, now, Outcome.RATE_LIMITED, detail="429", started_at=late), news

    async def _write(self, begun: list[Attempt]) -> None:
        over, self._over = self._over, []
        # What is in this batch was begun before it was answered.
        await asyncio.gather(*(self.ledger.begin(one) for one in begun))
        await asyncio.gather(
            *(self.ledger.finish(one, *([news] if news else [])) for one, news in over)
        )
        begun.clear()

    def check_windows(self) -> None:
        """Assert that no minute and no day ever held more than its quota."""
        for project, quota in self.quotas.items():
            times = sorted(self.sent[project])
            for last, at in enumerate(times):
                in_minute = last + 1 - bisect_right(times, at - MINUTE_S)
                assert quota.rpm is None or in_minute <= quota.rpm
                assert quota.tpm is None or in_minute * TOKENS <= quota.tpm
            days = Counter(day_start(at) for at in times)
            assert quota.rpd is None or all(count <= quota.rpd for count in days.values())


async def hour_of_work(folder: Path, mix: str, crashes: list[float]) -> tuple[float, Campaign]:
    """Work for an hour with crashes at these seconds; return the share of what was allowed."""
    campaign = Campaign(folder, MIXES[mix])
    await campaign.open()
    passed = 0.0
    for moment in [*sorted(crashes), HOUR_S]:
        await campaign.work(moment - passed)
        passed = moment
        await campaign.crash()
    await campaign.close()
    served = sum(len(times) for times in campaign.sent.values())
    allowed = sum(allowed_in_an_hour(quota) for quota in campaign.quotas.values())
    return served / allowed, campaign


@pytest.mark.parametrize("mix", MIXES)
async def test_an_hour_with_crashes_uses_99_percent_of_what_is_allowed(tmp_path, mix):
    share, campaign = await hour_of_work(tmp_path, mix, [0.5, 61.0, 777.7, 1800.0, 3590.0])
    campaign.check_windows()
    assert 0.99 <= share <= 1.0 + 1 / 60


async def test_a_refusal_costs_no_further_request_and_one_probe_a_day(tmp_path):
    campaign = Campaign(tmp_path, [Quota(rpm=6)] * 5)
    await campaign.open()
    day = Refusal(Window.DAY, 12.0)
    campaign.refusing = {
        "p0": [Refusal(Window.MINUTE, 30.0)],
        "p1": [Refusal(Window.MINUTE, None)] * 3,
        "p2": [day],
        "p3": [day],
        "p4": [],
    }
    await campaign.work(60.0)
    told_at = campaign.closed["p2"].told_at
    campaign.refusing["p2"] = [day]
    for _ in range(3):
        await campaign.crash()
        await campaign.work(1_300.0)
    await campaign.close()
    campaign.check_windows()
    later = {name: sum(at > told_at for at in times) for name, times in campaign.sent.items()}
    assert later["p2"] == 1
    assert 1 < later["p3"] < later["p1"] <= later["p4"] + 1
    assert campaign.refused == {"p0": 1, "p1": 3, "p2": 2, "p3": 1}


REFUSALS = st.one_of(
    st.builds(Refusal, st.just(Window.MINUTE), st.floats(0.5, 90.0)),
    st.builds(Refusal, st.just(Window.MINUTE), st.none()),
    # The delay that comes with a day's refusal is too short, and must not be believed.
    st.builds(Refusal, st.just(Window.DAY), st.sampled_from([None, 12.0])),
)


class HourOfWork(RuleBasedStateMachine):
    """Any mix of quotas, work, refusals and crashes in any order.

    No window is over its quota, none left unused, and a refusal costs no further request.
    """

    @initialize(mix=st.sampled_from(sorted(MIXES)))
    def start(self, mix: str) -> None:
        self.runner = asyncio.Runner()
        self.folder = TemporaryDirectory()
        self.campaign = Campaign(Path(self.folder.name), MIXES[mix])
        self.started = self.campaign.clock.now()
        self.runner.run(self.campaign.open())

    @rule(seconds=st.floats(0.1, 240.0))
    def work(self, seconds: float) -> None:
        self.runner.run(self.campaign.work(seconds))

    @rule()
    def work_until_a_probe_is_due(self) -> None:
        self.runner.run(self.campaign.work(PROBE_AFTER_S + 60.0))

    @rule()
    def crash(self) -> None:
        self.runner.run(self.campaign.crash())

    @rule(
        project=st.sampled_from([f"p{n}" for n in range(5)]),
        refusals=st.lists(REFUSALS, min_size=1, max_size=4),
    )
    def refuse(self, project: str, refusals: list[Refusal]) -> None:
        self.campaign.refusing[project] = refusals

    @invariant()
    def no_window_is_over_its_quota(self) -> None:
        if hasattr(self, "campaign"):
            self.campaign.check_windows()

    @invariant()
    def no_quota_is_left_unused(self) -> None:
        if not hasattr(self, "campaign"):
            return
        campaign = self.campaign
        passed = campaign.clock.now() - self.started
        days = 1 + (day_start(campaign.clock.now()) > self.started)
        for project, quota in campaign.quotas.items():
            by_day = math.inf if quota.rpd is None else days * quota.rpd
            open_s = passed - campaign.lost_s[project]
            possible = min(
                allowed_in_an_hour(Quota(quota.rpm, quota.tpm)) * open_s / HOUR_S, by_day
            )
            # A burst may just be due, and a minute may be bound by tokens in its last part; the
            # same again after each refusal.
            a_minute = allowed_in_an_hour(Quota(quota.rpm, quota.tpm)) / 60 + 1
            waiting = a_minute * (1 + campaign.refused[project])
            if by_day < math.inf and days > 1:
                continue
            assert len(campaign.sent[project]) >= min(0.99 * possible, possible - waiting)

    def teardown(self) -> None:
        if hasattr(self, "campaign"):
            self.runner.run(self.campaign.close())
            self.runner.close()
            self.folder.cleanup()


TestHourOfWork = HourOfWork.TestCase
TestHourOfWork.settings = settings(max_examples=3, stateful_step_count=8, deadline=None)


# A timeout would be taken for a failing example and shrunk.
@pytest.mark.timeout(900)
@pytest.mark.slow
class TestManyHoursOfWork(HourOfWork.TestCase):
    """The same, longer."""

    settings = settings(max_examples=8, stateful_step_count=20, deadline=None)
