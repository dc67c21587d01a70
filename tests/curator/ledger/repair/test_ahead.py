"""A clock that ran ahead in the run before costs the quota of today at the most."""

from __future__ import annotations

from curator.ledger import ProjectNews
from shared.endpoints.keys.quota import LearnedLimit, Window
from shared.endpoints.pool.records import Meter, ProjectRecord
from shared.program.durations import DAY_S
from tests.curator.ledger.ledgers import answered, attempt, enrolled, tallied

HOUR_S = 3_600.0
NOW = 1_790_000_000.0
AHEAD = NOW + 300 * DAY_S
METER = Meter("p", "gemini-x")


async def test_what_was_sent_in_the_future_counts_today_and_on_no_other_day(ledger, tmp_path):
    campaign_id = await enrolled(ledger, 4)
    for item_id, at in ((1, NOW - 9), (2, AHEAD), (3, AHEAD), (4, AHEAD)):
        begun = attempt(ledger, campaign_id, item_id, at)
        await ledger.begin(begun)
        if item_id < 4:
            await ledger.finish(answered(begun, at + 2))
    assert await ledger.bring_back(NOW) == 3
    assert await ledger.bring_back(NOW) == 0
    tallied(tmp_path / "l.db")
    now = (await ledger.project_use(["gemini-x"], NOW))[METER]
    assert (now.today, len(now.last_minute)) == (4, 4)
    assert METER not in await ledger.project_use(["gemini-x"], NOW + 2 * DAY_S)


async def test_a_project_rests_as_long_as_it_was_told_and_from_now_on(ledger):
    learned = {"rpm": LearnedLimit(5, None, AHEAD)}
    record = ProjectRecord("p", "gemini-x", AHEAD + 8 * HOUR_S, Window.DAY, AHEAD + HOUR_S, learned)
    campaign_id = await enrolled(ledger, 1)
    await ledger.begin(attempt(ledger, campaign_id, 1, AHEAD))
    await ledger.remember(ProjectNews(record, AHEAD))
    await ledger.bring_back(NOW)
    rests = (await ledger.project_records(["gemini-x"]))[METER]
    assert (rests.blocked_until, rests.probe_at) == (NOW + 8 * HOUR_S, NOW + HOUR_S)
    assert rests.learned["rpm"].at == NOW
