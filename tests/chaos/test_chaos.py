"""A short part of ``make chaos``, and that a broken promise is told."""

from __future__ import annotations

import asyncio
import csv
import random
import sqlite3
import time
from collections import Counter
from contextlib import closing

import pytest

from tests.chaos.befalling import UnderFire, differences, left_in
from tests.chaos.campaigns.promises import broken_promises, exceeded_windows
from tests.chaos.campaigns.scene import KEYS, set_up
from tests.chaos.campaigns.within import QUOTAS
from tests.chaos.evaluations import leave_stage
from tests.chaos.playing import play
from tests.chaos.report import Told, totals
from tests.chaos.turns import Turns
from tests.curator.campaigns import Ended
from tests.fakes.jumping_clock import JumpingClock

LISTINGS = 60


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("kind", ["within", "processes"])
def test_nothing_is_lost(kind, seed):
    told = play(kind, seed, LISTINGS)
    assert not told.lost, told.line()


@pytest.mark.slow
def test_trainings_end_as_those_that_nothing_befell():
    for seed in (3, 4):
        told = play("trainings", seed, LISTINGS)
        assert not told.lost, told.line()


@pytest.fixture
def stage():
    yield
    leave_stage()


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.xdist_group("ray")
def test_a_scorecard_is_that_of_a_run_that_nothing_befell(stage):
    for seed in (4, 7):
        told = play("evaluations", seed, LISTINGS)
        assert not told.lost, told.line()


class Fallen:
    """A process that has ended."""

    def __init__(self, code: int, err: str) -> None:
        self._ended = Ended(code, "", err)

    def ended(self, _: float) -> Ended:
        return self._ended


@pytest.mark.parametrize(
    ("code", "err", "lost"),
    [
        (0, "working\n", ""),
        (75, "working\nprogram: stopped\n", ""),
        (-9, "working", ""),
        (1, "program: failed\n", "a run ended with 1"),
        (75, "working\n", "no line that says why"),
        (75, "Traceback\nprogram: stopped\n", "a traceback"),
    ],
)
def test_how_a_program_may_not_end_is_told(code, err, lost):
    class Program(UnderFire):
        program = "program"

    under_fire = Program(random.Random(0))
    assert under_fire.over(Fallen(code, err), {0, 75, -9}) == code
    assert [lost in each for each in under_fire.lost] == ([True] if lost else [])


def test_each_file_that_is_not_as_it_should_be_is_told(tmp_path):
    for name, text in {"a": "1", "b/c": "2", "now/d": "3"}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    whole = left_in(tmp_path, {"now"})
    assert differences(whole, whole) == []
    (tmp_path / "b" / "c").write_text("3")
    (tmp_path / "e").touch()
    (tmp_path / "a").unlink()
    [told] = differences(whole, left_in(tmp_path, {"now"}))
    assert told.endswith(": a, b/c, e")


def test_every_kind_gets_on_at_the_same_pace_and_every_seed_comes_once():
    turns = Turns({"many": 10, "few": 2}, 3, 30, ends_at=time.monotonic() + 60)
    played = [turns.next_one(["many", "few"]) for _ in range(12)]
    assert Counter(kind for kind, _ in played) == {"many": 10, "few": 2}
    assert len(set(played)) == 12
    assert [seed for kind, seed in played if kind == "few"] == [3, 4]
    ended = Turns({"few": 2}, 3, 4, ends_at=time.monotonic() + 60)
    assert [ended.next_one(["few"]) for _ in range(3)] == [("few", 3), ("few", 4), None]
    assert Turns({"few": 2}, 3, 4, ends_at=time.monotonic()).next_one(["few"]) is None


def test_a_seed_that_would_not_be_over_in_time_does_not_begin():
    turns = Turns({"long": 10, "short": 10}, 0, 9, ends_at=time.monotonic() + 60)
    assert turns.next_one(["long", "short"]) == ("long", 0)
    turns.took("long", 100.0)
    turns.took("long", 1.0)
    turns.took("short", 1.0)
    assert [turns.next_one(["long", "short"])[0] for _ in range(3)] == ["short"] * 3
    assert turns.next_one(["long"]) is None


def test_what_each_kind_tried_and_lost_is_added_up():
    kept = Told(0, "a", [], Counter({"kill -9": 2}))
    lost = Told(1, "a", ["a pair"], Counter({"kill -9": 1, "SIGTERM": 1}))
    assert list(totals([("a", kept), ("a", lost), ("b", kept)], {"a": 2, "b": 3, "c": 1})) == [
        "a: 2 played; 1 x SIGTERM, 3 x kill -9; 1 lost something",
        "b: 1 of 3 played; 2 x kill -9; 0 lost something",
        "c: 0 of 1 played; nothing tried; 0 lost something",
        "3 played; 1 lost something",
    ]


def test_what_is_lost_is_told(tmp_path):
    asyncio.run(_lose(tmp_path))


async def _lose(folder):
    clock = JumpingClock()
    # Of this seed, the service has no faults.
    async with set_up(5, folder, clock, listings=6, quotas=QUOTAS, faults=()) as scene:
        ledger, out = scene.campaign.ledger, scene.campaign.folder / "out.csv"
        with scene.captured.catching():
            assert (await scene.campaign.run(clock, keys=scene.keys_file)).code == 0
            assert (await scene.campaign.command("export", "--out", str(out))).code == 0
        assert broken_promises(scene, out) == []
        with out.open(newline="") as file:
            rows = list(csv.reader(file))
        with out.open("w", newline="") as file:
            csv.writer(file).writerows([*rows[:-1], [*rows[-1][:2], "another", rows[-1][3]]])
        (scene.campaign.folder / "notes.txt").write_text(next(iter(KEYS.values())))
        with closing(sqlite3.connect(ledger)) as database:
            database.execute("UPDATE attempts SET item_id = 2 WHERE item_id = 1")
            database.execute("UPDATE work SET state = 0 WHERE item_id = 3")
            database.execute("UPDATE work_tallies SET items = 17")
            database.commit()
        told = "\n".join(broken_promises(scene, out))
    for what in ("not every listing is done", "more than once", "not what the service gave"):
        assert what in told
    for what in ("does not know", "a key stands in notes.txt", "not what counting gives"):
        assert what in told


def test_a_quota_that_was_exceeded_is_told(tmp_path):
    asyncio.run(_exceed(tmp_path))


async def _exceed(folder):
    clock, quotas = JumpingClock(), {project: {"rpm": 1} for project in KEYS}
    async with set_up(5, folder, clock, listings=6, quotas=quotas, faults=()) as scene:
        assert exceeded_windows(scene) == []
        scene.keys_file.write_text(scene.keys_file.read_text().replace("rpm = 1\n", ""))
        with scene.captured.catching():
            await scene.campaign.run(clock, keys=scene.keys_file)
        [told] = exceeded_windows(scene)
    assert "went over a quota" in told
