"""A whole simulated day: what all windows allow is used, none is exceeded, each image asked once.

Twelve keys, seven projects, four models, some of which close at noon, and crashes; and any such day
in a state machine.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from shared.endpoints.keys.asked_model import AskedModel
from shared.endpoints.keys.key import Key
from shared.endpoints.keys.quota import Quota
from shared.endpoints.pool.records import Meter
from shared.program.durations import DAY_S, MINUTE_S
from tests.shared.endpoints.pool.quota_days import QuotaDays

HOUR_S = 60 * MINUTE_S
TOKENS = {"pro": 1_400, "flash": 1_400, "lite": 1_300, "gemma": 700}
KEYS = [Key(f"k{n}", f"p{n % 7}", f"secret-{n}", Quota()) for n in range(12)]
WHOLE_DAYS = [
    AskedModel("pro", Quota(rpm=1)),
    AskedModel("flash", Quota(rpm=10, rpd=20)),
    AskedModel("lite", Quota(rpm=15, tpm=4_000, rpd=500)),
    AskedModel("gemma", Quota(rpm=30, tpm=15_000, rpd=1_000)),
]
SHORT_DAYS = [
    AskedModel("pro", Quota(rpm=1, rpd=30)),
    AskedModel("flash", Quota(rpm=10, rpd=20)),
    AskedModel("lite", Quota(tpm=4_000, rpd=60)),
    AskedModel("gemma", Quota(rpm=30, tpm=15_000, rpd=50)),
]
MORNING_CRASHES = (0.5, 61.0, 777.7)


async def day_of_work(
    folder: Path, models: list[AskedModel], closing: dict[Meter, float], crashes: list[float]
) -> QuotaDays:
    """Work for a day; ``closing`` and ``crashes`` are in seconds after its midnight."""
    days = QuotaDays(folder, KEYS, models, TOKENS, 30_000)
    days.closing = {meter: days.started + at for meter, at in closing.items()}
    await days.open()
    passed = 0.0
    for moment in crashes:
        await days.work(moment - passed)
        passed = moment
        await days.crash()
    # The next day's quota is there a second after the next midnight.
    await days.work(DAY_S - 2.0 - passed)
    days.check_windows()
    days.check_closed()
    await days.check_images()
    await days.close()
    return days


@pytest.mark.slow
async def test_a_day_of_small_quotas_is_used_up_through_crashes_and_closures(tmp_path):
    # One meter has a minute's limit alone, so that it is at work from midnight to midnight.
    closing = {Meter(f"p{number}", "pro"): number * 7 * MINUTE_S for number in range(1, 7)} | {
        Meter("p1", "gemma"): 2 * MINUTE_S,
        Meter("p2", "lite"): 9 * MINUTE_S,
        Meter("p3", "flash"): 12 * HOUR_S,
    }
    crashes = [*MORNING_CRASHES, DAY_S / 2 + 1.0, DAY_S - 60.0]
    models = [WHOLE_DAYS[0], *SHORT_DAYS[1:]]
    days = await day_of_work(tmp_path, models, closing, crashes)
    assert 0.99 <= days.share <= 1.0
    # What is closed at noon had been used up by then.
    assert sum(meter == ("p3", "flash") for _, meter in days.arrivals) == 20


@pytest.mark.timeout(900)
@pytest.mark.slow
async def test_99_percent_of_a_day_are_used_through_crashes_and_closures(tmp_path):
    closing = {
        Meter("p0", "pro"): DAY_S / 2,
        Meter("p1", "gemma"): 700.0,
        Meter("p2", "lite"): 3 * HOUR_S,
        Meter("p3", "pro"): 16 * HOUR_S,
    }
    crashes = [*MORNING_CRASHES, 4 * HOUR_S, DAY_S / 2 + 1.0, 20 * HOUR_S, DAY_S - 60.0]
    days = await day_of_work(tmp_path, WHOLE_DAYS, closing, crashes)
    assert len(days.arrivals) > 18_000
    assert 0.99 <= days.share <= 1.0


class DaysOfWork(RuleBasedStateMachine):
    """Work, waiting until noon or midnight, crashes and closures in any order."""

    @initialize()
    def start(self) -> None:
        self.runner = asyncio.Runner()
        self.folder = TemporaryDirectory()
        self.days = QuotaDays(Path(self.folder.name), KEYS, SHORT_DAYS, TOKENS, 8_000)
        self.crashes = 0
        self.runner.run(self.days.open())

    @rule(seconds=st.floats(0.1, 30 * MINUTE_S))
    def work(self, seconds: float) -> None:
        self.runner.run(self.days.work(seconds))

    @precondition(lambda self: self.days.clock.now() < self.days.started + 2 * DAY_S)
    @rule()
    def work_until_noon_or_midnight(self) -> None:
        left_s = DAY_S / 2 - (self.days.clock.now() - self.days.started) % (DAY_S / 2)
        self.runner.run(self.days.work(left_s))

    @rule()
    def crash(self) -> None:
        self.crashes += 1
        self.runner.run(self.days.crash())

    @rule(number=st.integers(0, 6), model=st.sampled_from(sorted(TOKENS)))
    def close(self, number: int, model: str) -> None:
        self.days.closing.setdefault(Meter(f"p{number}", model), self.days.clock.now())

    @invariant()
    def no_window_is_over_its_quota(self) -> None:
        if hasattr(self, "days"):
            self.days.check_windows()
            self.days.check_closed()

    @invariant()
    def no_image_is_answered_twice(self) -> None:
        if hasattr(self, "days"):
            self.runner.run(self.days.check_images())

    @invariant()
    def no_quota_is_left_unused(self) -> None:
        if not hasattr(self, "days"):
            return
        used = Counter(meter for _, meter in self.days.arrivals)
        for meter in self.days.quotas:
            allowed = self.days.allowed(meter)
            # A burst may just be due; a crash lets what was under way, and a trial, wait a minute.
            a_minute = min(self.days.a_minute(meter), 30)
            slack = (a_minute + 1) * (1 + self.crashes)
            assert used[meter] >= 0.99 * allowed - slack, (meter, used[meter], allowed)

    def teardown(self) -> None:
        if hasattr(self, "days"):
            self.runner.run(self.days.close())
            self.runner.close()
            self.folder.cleanup()


TestDaysOfWork = DaysOfWork.TestCase
TestDaysOfWork.settings = settings(max_examples=4, stateful_step_count=8, deadline=None)
