from __future__ import annotations

import asyncio
import random
import sqlite3
from contextlib import AsyncExitStack, closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sqlalchemy import create_engine, event

from curator.judging.parser import Draft
from curator.judging.rules import validate
from curator.keys.key import Key
from curator.keys.quota import (
    ARRIVAL_S,
    LONGEST_ARRIVAL_S,
    MINUTE_S,
    PROMPT_S,
    LearnedLimit,
    Quota,
    Window,
    day_counts_from,
    day_start,
    next_day,
)
from curator.ledger import (
    Attempt,
    Campaign,
    ItemChange,
    KeyRemoval,
    Ledger,
    LedgerBusy,
    LedgerFailure,
    OpinionChange,
    OpinionCounts,
    Outcome,
    ProjectNews,
    Result,
    TokenUse,
    WorkState,
    migrate,
    require_ledger,
    sole_writer,
)
from curator.ledger.database.plain import reading
from curator.ledger.database.tables import METADATA
from curator.ledger.database.upgrade import upgrade
from curator.ledger.reports.campaigns import campaign_reports
from curator.ledger.reports.course import history
from curator.ledger.reports.forecasting import memory
from curator.ledger.reports.projects import LOST_FOR_S
from curator.pool.exhaustion import KeysExhausted
from curator.pool.pool import PROBE_AFTER_S, KeyPool, Lease, OnExhausted
from curator.pool.records import ProjectRecord, ProjectUse
from curator.refusals.refusal import RateLimited
from shared.errors import InputError
from shared.program.stopping import StopSignal
from shared.records import ImageRef, Listing
from tests.fakes.jumping_clock import JumpingClock

CAMPAIGN = Campaign("gemini-x", "1-abc", 3)
DRAFTS = [
    Draft("What is the colour of it?", "red", "easy"),
    Draft("Is the red shoe red in here?", "red", "easy"),
    Draft("What is it made of?", "wood", "hard"),
]


def listings(count: int, start: int = 0) -> list[Listing]:
    return [
        Listing(f"L{n}", ImageRef(f"i{n}", f"{n}.jpg"), {"item_name": f"thing {n}"})
        for n in range(start, start + count)
    ]


@pytest.fixture
async def ledger(tmp_path):
    migrate(tmp_path / "l.db")
    async with Ledger.opened(tmp_path / "l.db") as opened:
        yield opened


async def enrolled(ledger: Ledger, count: int) -> int:
    await ledger.add_catalog("src", "f1", "images", listings(count), 1.0)
    return await ledger.enrol(CAMPAIGN, 1.0)


def attempt(ledger: Ledger, campaign_id: int, item_id: int, at: float = 5.0) -> Attempt:
    return Attempt(ledger.new_attempt_id(), campaign_id, item_id, "fp", "p", "gemini-x", at, 100)


def answered(one: Attempt, at: float = 6.0) -> Result:
    return Result(
        one.attempt_id,
        at,
        Outcome.ANSWERED,
        tokens=TokenUse(90, 40, 3),
        reply='{"raw": "reply"}',
        change=ItemChange(one.campaign_id, one.item_id, WorkState.DONE, 0),
        verdict=validate(DRAFTS, answer_words=1),
    )


async def test_a_result_is_written_whole(ledger):
    campaign_id = await enrolled(ledger, 2)
    item, other = await ledger.pending(campaign_id, 0, 10)
    one = attempt(ledger, campaign_id, item.item_id)
    await ledger.begin(one)
    await ledger.finish(answered(one))
    assert await ledger.pending(campaign_id, 0, 10) == [other]
    assert await ledger.reply(one.attempt_id) == '{"raw": "reply"}'
    (report,) = await ledger.reports(10.0)
    assert (report.progress.done, report.progress.pending, report.pairs) == (1, 1, 2)
    assert report.rejected == {"answer_in_question": 1}
    assert report.tokens == TokenUse(90, 40, 3)
    pairs, last = await ledger.pairs_after(campaign_id, CAMPAIGN, 0, 10)
    assert [(pair.question, pair.answer, pair.difficulty) for pair in pairs] == [
        ("What is the colour of it?", "red", "easy"),
        ("What is it made of?", "wood", "hard"),
    ]
    assert {(pair.filename, pair.provenance.listing_id) for pair in pairs} == {("0.jpg", "L0")}
    assert {pair.agreement for pair in pairs} == {"unknown"}
    assert await ledger.pairs_after(campaign_id, CAMPAIGN, last, 10) == ([], last)


async def test_a_second_result_for_a_finished_item_changes_nothing(ledger, tmp_path):
    campaign_id = await enrolled(ledger, 1)
    one, two = (attempt(ledger, campaign_id, 1) for _ in range(2))
    await asyncio.gather(ledger.begin(one), ledger.begin(two))
    await ledger.finish(answered(one))
    with pytest.raises(LedgerFailure, match="UNIQUE"):
        await ledger.finish(answered(two))
    (report,) = await ledger.reports(10.0)
    assert report.pairs == 2


async def test_many_results_share_transactions(ledger):
    campaign_id = await enrolled(ledger, 500)
    items = await ledger.pending(campaign_id, 0, 1000)

    async def work(item_id: int) -> None:
        one = attempt(ledger, campaign_id, item_id)
        await ledger.begin(one)
        await ledger.finish(answered(one))

    await asyncio.gather(*(work(item.item_id) for item in items))
    (report,) = await ledger.reports(10.0)
    assert (report.progress.done, report.pairs) == (500, 1000)


async def test_new_listings_are_added_and_known_images_are_not_asked_again(ledger):
    campaign_id = await enrolled(ledger, 3)
    one = attempt(ledger, campaign_id, 1)
    await ledger.begin(one)
    await ledger.finish(answered(one))
    shared_image = Listing("other", ImageRef("i0", "0.jpg"))
    more = [shared_image, *listings(5)]
    assert await ledger.add_catalog("src", "f2", "images", more, 2.0) == 2
    assert await ledger.enrol(CAMPAIGN, 2.0) == campaign_id
    waiting = await ledger.pending(campaign_id, 0, 10)
    assert [item.listing for item in waiting] == listings(4, start=1)
    assert await ledger.known_fingerprint("src") == "f2"


async def test_a_catalogue_that_breaks_off_adds_nothing(ledger):
    def broken():
        yield from listings(5000)
        raise InputError("line 5001 is broken")

    with pytest.raises(InputError, match="5001"):
        await ledger.add_catalog("src", "f", "images", broken(), 1.0)
    assert await ledger.item_count() == 0
    assert await ledger.known_fingerprint("src") is None


async def test_another_prompt_is_another_campaign(ledger):
    first = await enrolled(ledger, 2)
    second = await ledger.enrol(Campaign("gemini-x", "2-def", 3), 2.0)
    assert first != second
    assert len(await ledger.pending(second, 0, 10)) == 2


async def places(ledger: Ledger, campaign_id: int) -> list[str]:
    return [one.listing.listing_id for one in await ledger.pending(campaign_id, 0, 1000)]


async def test_the_catalogue_gives_the_order_and_a_seed_another(ledger):
    plain = await enrolled(ledger, 40)
    assert await places(ledger, plain) == [f"L{n}" for n in range(40)]
    seeded = await ledger.enrol(Campaign("gemini-x", "other", 3), 1.0, shuffle_seed=7)
    shuffled = await places(ledger, seeded)
    assert shuffled != await places(ledger, plain)
    assert sorted(shuffled) == sorted(await places(ledger, plain))
    assert await ledger.enrol(CAMPAIGN, 2.0, shuffle_seed=7) == plain
    assert await places(ledger, plain) == shuffled
    await ledger.enrol(CAMPAIGN, 2.0, shuffle_seed=8)
    assert await places(ledger, plain) != shuffled


async def test_a_shuffled_order_stays_and_new_listings_queue_behind(ledger):
    await ledger.add_catalog("src", "f1", "images", listings(40), 1.0)
    campaign_id = await ledger.enrol(CAMPAIGN, 1.0, shuffle_seed=7)
    before = await places(ledger, campaign_id)
    await ledger.add_catalog("src", "f2", "images", listings(60), 2.0)
    await ledger.enrol(CAMPAIGN, 2.0)
    after = await places(ledger, campaign_id)
    assert after[:40] == before
    assert sorted(after[40:]) == [f"L{n}" for n in range(40, 60)] != after[40:]


async def test_an_attempt_that_was_not_sent_is_withdrawn_and_counts_nowhere(ledger):
    campaign_id = await enrolled(ledger, 1)
    one = attempt(ledger, campaign_id, 1)
    await ledger.begin(one)
    assert (await ledger.project_use("gemini-x", 6.0))["p"].today == 1
    await ledger.withdraw(one)
    assert await ledger.project_use("gemini-x", 6.0) == {}
    (report,) = await ledger.reports(10.0)
    assert report.outcomes == {}


async def test_projects_and_keys_are_remembered(ledger):
    learned = {"rpm": LearnedLimit(3, stated=9, at=1.0)}
    record = ProjectRecord("p", 99.0, Window.DAY, 50.0, learned)
    key = Key("mine", "p", "AIzaSecret", Quota(rpm=9, rpd=20))
    campaign_id = await enrolled(ledger, 1)
    await ledger.remember_keys([key], 1.0)
    one = attempt(ledger, campaign_id, 1)
    await ledger.begin(one)
    removal = KeyRemoval(key.fingerprint, "API_KEY_INVALID", 2.0)
    refused = Result(one.attempt_id, 2.0, Outcome.RATE_LIMITED)
    await ledger.finish(refused, ProjectNews(record, "gemini-x", 2.0), removal)
    assert await ledger.project_records("gemini-x") == {"p": record}
    assert await ledger.project_records("another") == {}
    (report,) = await ledger.reports(10.0)
    assert [(one.label, one.removed_because) for one in report.keys] == [
        ("mine", "API_KEY_INVALID")
    ]
    assert [one.project for one in report.blocked] == ["p"]
    # What Google taught counts where it is less than what was stated.
    assert [one.quota for one in report.keys] == [Quota(rpm=3, rpd=20)]


async def test_only_the_keys_of_the_last_run_are_in_service(ledger):
    await enrolled(ledger, 1)
    old, new = Key("old", "p", "AIzaSecretOld"), Key("new", "p", "AIzaSecretNew")
    await ledger.remember_keys([old], 1.0)
    await ledger.remember_keys([new], 2.0)
    (report,) = await ledger.reports(10.0)
    assert [(one.label, one.removed_because) for one in report.keys] == [
        ("new", ""),
        ("old", "not among the keys of the last run"),
    ]
    await ledger.remember_keys([old, new], 3.0)
    (report,) = await ledger.reports(10.0)
    assert [one.removed_because for one in report.keys] == ["", ""]


def test_the_migration_makes_the_tables_that_the_code_uses(tmp_path):
    migrate(tmp_path / "l.db")
    engine = create_engine(f"sqlite:///{tmp_path / 'l.db'}")
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), METADATA)
    engine.dispose()
    assert differences == []


async def test_a_ledger_of_the_first_release_is_copied_and_goes_on(tmp_path):
    path = tmp_path / "l.db"
    with closing(sqlite3.connect(path)) as database:
        database.executescript((Path(__file__).parent / "ledger_0001.sql").read_text())
    before = path.read_bytes()
    require_ledger(path)
    assert path.read_bytes() == before
    migrate(path)
    migrate(path)
    with closing(sqlite3.connect(tmp_path / "l.db.0001.backup")) as backup:
        assert backup.execute("SELECT version_num FROM alembic_version").fetchone() == ("0001",)
        assert backup.execute("SELECT count(*) FROM pairs").fetchone() == (2,)
    async with Ledger.opened(path) as ledger:
        campaign_id = await ledger.enrol(CAMPAIGN, 2.0)
        pairs, _ = await ledger.pairs_after(campaign_id, CAMPAIGN, 0, 10)
        assert [(pair.answer, pair.agreement) for pair in pairs] == [("red", ""), ("wood", "")]
        (item,) = await ledger.pending(campaign_id, 0, 10)
        one = attempt(ledger, campaign_id, item.item_id)
        await ledger.begin(one)
        await ledger.finish(answered(one))
        (report,) = await ledger.reports(10.0)
    assert (report.progress.done, report.pairs) == (2, 4)


def test_a_migration_that_breaks_off_leaves_the_old_version(tmp_path):
    path = tmp_path / "l.db"
    with closing(sqlite3.connect(path)) as database:
        database.executescript((Path(__file__).parent / "ledger_0001.sql").read_text())
        # The version cannot be written, which is what a migration does last.
        database.execute(
            "CREATE TRIGGER full BEFORE UPDATE ON alembic_version "
            "BEGIN SELECT RAISE(ABORT, 'disk full'); END"
        )
        database.commit()
        tables = database.execute("SELECT sql FROM sqlite_master").fetchall()
        with pytest.raises(InputError, match="disk full"):
            migrate(path)
        assert database.execute("SELECT sql FROM sqlite_master").fetchall() == tables


def test_a_newer_ledger_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "l.db"
    migrate(path)
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
        database.commit()
    before = path.read_bytes()
    for opener in (migrate, require_ledger):
        with pytest.raises(InputError, match=r"newer release .*9999"):
            opener(path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["l.db"]


def test_what_is_not_a_ledger_is_refused_and_left_alone(tmp_path):
    text, other = tmp_path / "notes.txt", tmp_path / "other.db"
    text.write_text("not a database at all, but long enough to look at")
    with closing(sqlite3.connect(other)) as database:
        database.execute("CREATE TABLE mine (x)")
    for path in (text, other):
        before = path.read_bytes()
        with pytest.raises(InputError, match="not a ledger"):
            migrate(path)
        assert path.read_bytes() == before
    with pytest.raises(InputError, match="no such ledger"):
        require_ledger(tmp_path / "none.db")
    with pytest.raises(InputError, match="folder"):
        migrate(tmp_path)


def test_a_second_writer_is_told_so(tmp_path):
    path = tmp_path / "l.db"
    with sole_writer(path), pytest.raises(LedgerBusy, match="another"), sole_writer(path):
        pass
    with sole_writer(path):
        pass


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
        migrate(self.path)
        self.runner.run(self.open())

    async def open(self) -> None:
        self.stack = AsyncExitStack()
        self.ledger = await self.stack.enter_async_context(Ledger.opened(self.path))
        self.pool = KeyPool(
            KEYS,
            clock=self.clock,
            stop=StopSignal(),
            on_exhausted=OnExhausted.STOP,
            rng=random.Random(0),
            use=await self.ledger.project_use("m", self.clock.now()),
            records=await self.ledger.project_records("m"),
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
            lease = await self.pool.lease(tokens)
        except KeysExhausted:
            return
        project = lease.key.project
        one = Attempt(self.ledger.new_attempt_id(), 1, 1, "fp", project, "m", lease.at, tokens)
        await self.ledger.begin(one)
        assert lease.at >= self.closed_until[project]
        started_at = lease.at
        self.pool.waits(lease)
        self.clock.time += waits_s
        self.pool.left(lease)
        begun = Begun(project, self.clock.now() + travels_s, tokens, started_at)
        self.begun.append(begun)
        self.in_flight.append((lease, one, begun))

    async def finish(self, result: Result) -> None:
        await self.ledger.finish(result)

    @precondition(lambda self: self.in_flight)
    @rule(data=st.data())
    def answer(self, data) -> None:
        lease, one, begun = self.in_flight.pop(data.draw(st.integers(0, len(self.in_flight) - 1)))
        begun.tokens = data.draw(st.integers(1, begun.tokens))
        self.clock.time = max(self.clock.time, begun.at)
        self.pool.over(lease)
        self.pool.settle(lease, begun.tokens)
        tokens = TokenUse(begun.tokens, 1, 0)
        result = Result(
            one.attempt_id,
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
        lease, one, begun = self.in_flight.pop()
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
        self.runner.run(self._refused(one, lease, record))

    async def _refused(self, one: Attempt, lease: Lease, record: ProjectRecord) -> None:
        now = self.clock.now()
        late = lease.left_late_at
        refused = Result(one.attempt_id, now, Outcome.RATE_LIMITED, started_at=late)
        await self.ledger.finish(refused, ProjectNews(record, "m", now))

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
            mine = [one for one in self.begun if one.project == project]
            mine.sort(key=lambda one: one.at)
            for last in mine[-4:]:
                minute = [one for one in mine if last.at - MINUTE_S < one.at <= last.at]
                assert len(minute) <= quota.rpm
                assert quota.tpm is None or sum(one.tokens for one in minute) <= quota.tpm
            assert sum(one.at >= day_start(now) for one in mine) <= quota.rpd

    @invariant()
    def the_ledger_counts_each_lease_once(self) -> None:
        now = self.clock.now()
        use = self.runner.run(self.ledger.project_use("m", now))
        for project in QUOTAS:
            mine = [one for one in self.begun if one.project == project]
            counted = use.get(project, ProjectUse())
            since = day_counts_from(now)
            assert counted.today == sum(one.started_at >= since for one in mine)
            recent = [
                (now if one.is_open else one.started_at, one.tokens)
                for one in mine
                if one.started_at
                > now - (LOST_FOR_S if one.is_open else MINUTE_S + LONGEST_ARRIVAL_S)
            ]
            assert sorted(counted.last_minute) == sorted(recent)

    def teardown(self) -> None:
        self.runner.run(self.stack.aclose())
        self.runner.close()
        self.folder.cleanup()


TestQuotaThroughCrashes = QuotaThroughCrashes.TestCase
TestQuotaThroughCrashes.settings = settings(max_examples=20, stateful_step_count=30, deadline=None)


async def test_second_opinions_are_found_without_going_through_all_pairs(ledger):
    campaign_id = await enrolled(ledger, 2)
    asked: list[tuple[str, tuple]] = []
    engine = ledger._engine.sync_engine

    @event.listens_for(engine, "before_cursor_execute")
    def listen(_connection, _cursor, statement, parameters, _context, _many):
        asked.append((statement, parameters))

    await ledger.waiting_pairs(campaign_id, (0, ""), 10)
    event.remove(engine, "before_cursor_execute", listen)
    with closing(sqlite3.connect(engine.url.database)) as database:
        plans = [database.execute(f"EXPLAIN QUERY PLAN {one}", given) for one, given in asked]
        steps = [step for plan in plans for *_, step in plan if " pairs " in step]
    assert len(steps) == 2
    assert [step for step in steps if "item_id=?" not in step] == []


async def test_reports_go_through_no_table_that_grows_with_the_catalogue(tmp_path, ledger):
    campaign_id = await enrolled(ledger, 3)
    await ledger.remember_keys([Key("mine", "p", "AIzaSecret")], 1.0)
    one = attempt(ledger, campaign_id, 1)
    await ledger.begin(one)
    await ledger.finish(answered(one))
    asked: list[str] = []
    with reading(tmp_path / "l.db") as connection:
        connection.set_trace_callback(asked.append)
        (report,) = campaign_reports(connection, 10.0)
        memory(connection, report, 10.0)
        history(connection, campaign_id, 10.0)
        connection.set_trace_callback(None)
        plans = [list(connection.execute(f"EXPLAIN QUERY PLAN {one}")) for one in asked]
    steps = [step for plan in plans for *_, step in plan]
    large = {"attempts", "items", "pairs", "rejected_pairs", "second_opinions", "work"}
    read = {word for step in steps for word in step.split()[1:2]}
    assert {"attempts", "items", "work", "work_tallies", "opinion_tallies"} <= read
    assert [step for step in steps if "SCAN" in step and step.split()[1] in large] == []


MADE_BY = (
    "coalesce((SELECT iif(model_version = '', model, model_version) "
    "FROM attempts WHERE id = attempt_id), '')"
)
TALLIES = {
    "SELECT campaign_id, state, items FROM work_tallies WHERE items != 0": (
        "SELECT campaign_id, state, count(*) FROM work GROUP BY 1, 2"
    ),
    "SELECT campaign_id, state, agrees, pairs FROM opinion_tallies WHERE pairs != 0": (
        "SELECT campaign_id, state, agrees, count(*) FROM second_opinions "
        "JOIN pairs USING (campaign_id, item_id, question) GROUP BY 1, 2, 3"
    ),
    "SELECT campaign_id, rule, model, pairs FROM pair_tallies WHERE pairs != 0": (
        f"SELECT campaign_id, '', {MADE_BY}, count(*) FROM pairs GROUP BY 1, 3 UNION ALL "
        f"SELECT campaign_id, rule, {MADE_BY}, count(*) FROM rejected_pairs GROUP BY 1, 2, 3"
    ),
    "SELECT campaign_id, model, key_fingerprint, outcome, second_opinion, sum(requests), "
    "sum(input_tokens) FROM attempt_tallies GROUP BY 1, 2, 3, 4, 5 HAVING sum(requests) != 0": (
        "SELECT campaign_id, model, key_fingerprint, outcome, question IS NOT NULL, count(*), "
        "sum(input_tokens) FROM attempts GROUP BY 1, 2, 3, 4, 5"
    ),
}


def tallied(path: Path) -> list[set[tuple]]:
    """Return what the tallies hold, once it is found to be what counting the rows gives."""
    with closing(sqlite3.connect(path)) as database:
        for tally, count in TALLIES.items():
            assert set(database.execute(tally)) == set(database.execute(count))
        return [set(database.execute(tally)) for tally in TALLIES]


async def test_tallies_are_what_counting_would_give(tmp_path, ledger):
    path = tmp_path / "l.db"
    campaign_id = await enrolled(ledger, 3)
    for item in (1, 2):
        one = attempt(ledger, campaign_id, item)
        await ledger.begin(one)
        await ledger.finish(answered(one))
    dead = ItemChange(campaign_id, 3, WorkState.DEAD, 5, "unreadable")
    await ledger.finish(Result(None, 7.0, Outcome.BAD_REQUEST, change=dead))
    assert tallied(path)[0] == {(campaign_id, 1, 2), (campaign_id, 2, 1)}
    await ledger.choose_pairs(campaign_id, 0.5)
    tallied(path)
    counts = await ledger.choose_pairs(campaign_id, 1.0)
    assert (counts.waiting, counts.chosen) == (4, 4)
    question = DRAFTS[0].question
    for item, agrees in ((1, True), (2, False)):
        change = OpinionChange(campaign_id, item, question, WorkState.DONE, 0, "", "red", agrees)
        await ledger.finish(Result(None, 8.0, Outcome.ANSWERED, change=change))
    given_up = OpinionChange(campaign_id, 2, DRAFTS[2].question, WorkState.DEAD, 3, "no answer")
    await ledger.finish(Result(None, 8.0, Outcome.UNUSABLE, change=given_up))
    (report,) = await ledger.reports(10.0)
    assert report.opinions == OpinionCounts(waiting=1, agrees=1, disagrees=1, given_up=1)
    done = ItemChange(campaign_id, 1, WorkState.DONE, 0)
    for drafts, left in ((DRAFTS[1:], 0), (DRAFTS, 1)):
        again = validate(drafts, answer_words=1)
        await ledger.replace_pairs([Result(1, 9.0, Outcome.ANSWERED, change=done, verdict=again)])
        (report,) = await ledger.reports(10.0)
        assert report.opinions == OpinionCounts(waiting=1, agrees=left, disagrees=1, given_up=1)
        tallied(path)
    await ledger.retry_dead(campaign_id)
    await ledger.choose_pairs(campaign_id, 0.0)
    assert tallied(path)[:2] == [
        {(campaign_id, 0, 1), (campaign_id, 1, 2)},
        {(campaign_id, 1, 0, 1), (campaign_id, 1, 1, 1)},
    ]


def test_a_ledger_without_tallies_is_counted_when_it_is_migrated(tmp_path):
    path = tmp_path / "l.db"
    upgrade(path, "0005")
    with closing(sqlite3.connect(path)) as database:
        database.executescript(
            """
            INSERT INTO work VALUES (1, 1, 1, 0, '', 2.0, 1), (1, 2, 0, 0, '', NULL, 2);
            INSERT INTO work VALUES (1, 3, 0, 0, '', NULL, 3), (2, 1, 2, 5, 'no', 2.0, 1);
            INSERT INTO pairs VALUES (1, 1, 0, 'Q?', 'red', '', ''), (1, 1, 1, 'R?', 'red', '', '');
            INSERT INTO second_opinions VALUES (1, 1, 'Q?', 1, 0, '', 'red', 1, 3.0);
            INSERT INTO second_opinions VALUES (1, 1, 'R?', 0, 0, '', '', 0, NULL);
            INSERT INTO second_opinions VALUES (1, 1, 'gone?', 1, 0, '', 'red', 1, 3.0);
            """
        )
    migrate(path)
    assert (tmp_path / "l.db.0005.backup").exists()
    work, opinions, *_ = tallied(path)
    assert work == {(1, 1, 1), (1, 0, 2), (2, 2, 1)}
    assert opinions == {(1, 1, 1, 1), (1, 0, 0, 1)}


async def test_the_rate_of_late_is_that_of_the_latest_where_there_are_very_many(tmp_path, ledger):
    campaign_id = await enrolled(ledger, 1)
    with closing(sqlite3.connect(tmp_path / "l.db")) as database:
        database.executemany(
            "INSERT INTO attempts (campaign_id, item_id, key_fingerprint, project, model,"
            " started_at, reserved_tokens, finished_at, outcome, detail, input_tokens,"
            " output_tokens, thought_tokens) VALUES (?, 1, 'fp', 'p', 'm', ?, 9, ?, 'answered',"
            " '', 9, 9, 0)",
            # A hundred a second lately, and one a second before.
            [(campaign_id, at - 2.0, at) for at in (900 + n / 100 for n in range(10_000))]
            + [(campaign_id, at - 2.0, at) for at in (800.0 + n for n in range(100))],
        )
        database.commit()
    (report,) = await ledger.reports(1_000.0)
    assert report.finished_recently / report.recent_s == pytest.approx(100, rel=0.01)
    (report,) = await ledger.reports(1_195.0)
    assert (report.finished_recently, report.recent_s) == (5_000, pytest.approx(245.0, abs=0.1))
    (report,) = await ledger.reports(1_299.505)
    assert (report.finished_recently, report.recent_s) == (49, pytest.approx(302.0, abs=0.1))


def test_an_sqlite_that_is_too_old_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1))
    with pytest.raises(InputError, match=r"SQLite 3\.35 or newer"):
        migrate(tmp_path / "l.db")
    assert not (tmp_path / "l.db").exists()
