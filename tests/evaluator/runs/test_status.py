"""`evaluator status`: a run at work, without a shard, without its driver, finished."""

import json
from dataclasses import replace

import pytest

from evaluator.__main__ import app
from evaluator.answering.fleet import LocalFleet
from evaluator.runs.answers import ShardsGivenUp
from evaluator.runs.folder import shard_path
from evaluator.runs.run import evaluate
from evaluator.runs.status import STATUS_FILE, Pace, State, read_status
from shared.corpus import read_json
from shared.errors import InputError
from shared.program.cli import run_program
from shared.records import QAPair
from tests.evaluator.replicas import evaluation_of, no_text_models
from tests.evaluator.scripted_replica import ScriptedReplica
from tests.fakes.clock import FakeClock

PAIRS = [QAPair(f"{n}", "what", "x", f"{n:02d}.png") for n in range(24)]
"""Four shards of six images."""
SHARD_S = 3.0


class WatchedFleet(LocalFleet):
    """Takes three seconds for a shard, and looks at the status after each."""

    def __init__(self, folder, run, clock, *, stop_after=99, give_up=()):
        super().__init__(ScriptedReplica(folder))
        self._run, self._clock = run, clock
        self._stop_after, self._give_up = stop_after, give_up
        self.seen = []

    def answered_shards(self, shards, heard):
        for count, answers in enumerate(super().answered_shards(shards, heard)):
            if count == self._stop_after:
                raise KeyboardInterrupt
            self._clock.advance(SHARD_S)
            given_up = answers.shard.index in self._give_up
            yield replace(answers, replies=None, reason="it died") if given_up else answers
            self.seen.append(read_status(self._run, self._clock.now()))


@pytest.fixture
def working(tmp_path):
    clock = FakeClock()

    def work(**behaviour):
        run = tmp_path / "run"
        fleet = WatchedFleet(tmp_path, run, clock, **behaviour)
        evaluate(evaluation_of(PAIRS), run, lambda: fleet, no_text_models, clock)
        return fleet

    work.clock, work.run = clock, tmp_path / "run"
    return work


def status(*arguments) -> int:
    with pytest.raises(SystemExit) as leaving:
        run_program(app, "evaluator", ["status", *map(str, arguments)])
    return leaving.value.code


def test_a_run_at_work_says_how_much_is_done_how_fast_and_how_long_yet(working):
    seen = working().seen
    assert [one.state for one in seen] == [State.ANSWERING] * 4
    assert [one.questions_done for one in seen] == [6, 12, 18, 24]
    assert [one.rate_per_s for one in seen] == [pytest.approx(6 / SHARD_S)] * 4
    assert [one.eta_s for one in seen] == [9.0, 6.0, 3.0, 0.0]
    assert seen[0].to_json()["replicas"] == {"ready": 1, "total": 1}


def test_a_finished_run_shows_its_scores(working, capsys):
    working()
    capsys.readouterr()
    assert status(working.run, "--json") == 0
    value = json.loads(capsys.readouterr().out)
    assert value["state"] == "finished"
    assert value["shards"] == {"done": 4, "total": 4}
    assert value["scorecard"] == read_json(working.run / "scorecard.json")
    assert value["started_at"] < value["updated_at"]
    assert status(working.run) == 0
    assert "exact_match" in capsys.readouterr().out


def test_times_stand_in_the_status_alone(working, tmp_path):
    working()
    working.clock.advance(86_400)
    fleet = WatchedFleet(tmp_path, tmp_path / "later", working.clock)
    evaluate(evaluation_of(PAIRS), tmp_path / "later", lambda: fleet, no_text_models, working.clock)
    differing = {
        path.name
        for path in working.run.iterdir()
        if path.is_file() and path.read_bytes() != (tmp_path / "later" / path.name).read_bytes()
    }
    assert differing == {STATUS_FILE}


def test_a_run_whose_driver_stopped_says_so_and_rates_the_next_driver_by_its_own_work(
    working, capsys
):
    with pytest.raises(KeyboardInterrupt):
        working(stop_after=3)
    (working.run / "shards" / ".shard-00003.parquet.x.part.parquet").touch()
    working.clock.advance(3600)
    assert status(working.run) == 0
    said = capsys.readouterr().out
    assert "run: stopped" in said
    assert "shards     3 of 4" in said
    assert "run the same command again" in said
    [after] = working().seen
    assert (after.questions_done, after.rate_per_s) == (24, pytest.approx(2.0))
    assert not list(working.run.rglob(".*"))


def test_the_pace_is_that_of_all_drivers_while_they_answered(working, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        working(stop_after=3)
    working.clock.advance(3600)
    told = []
    fleet = WatchedFleet(tmp_path, working.run, working.clock)
    evaluate(
        evaluation_of(PAIRS),
        working.run,
        lambda: fleet,
        no_text_models,
        working.clock,
        cost=told.append,
    )
    assert told == [Pace(24, 4 * SHARD_S)]


def test_a_lost_shard_is_named_with_its_reason(working, capsys):
    with pytest.raises(ShardsGivenUp):
        working(give_up=(2,))
    capsys.readouterr()
    assert status(working.run, "--json") == 0
    value = json.loads(capsys.readouterr().out)
    assert value["state"] == "incomplete"
    assert value["given_up"] == {"2": "it died"}
    assert value["scorecard"] is None


def test_a_second_driver_is_refused(working, tmp_path):
    class Intruded(WatchedFleet):
        def answered_shards(self, shards, heard):
            with pytest.raises(InputError, match="another `evaluator run` works in this folder"):
                working()
            yield from super().answered_shards(shards, heard)

    fleet = Intruded(tmp_path, working.run, working.clock)
    evaluate(evaluation_of(PAIRS), working.run, lambda: fleet, no_text_models, working.clock)
    assert len(fleet.seen) == 4


def test_another_model_does_not_go_on_with_a_run(working, tmp_path):
    working()
    shard_path(working.run, 1).unlink()

    class Other(ScriptedReplica):
        def facts(self):
            return replace(super().facts(), revision="2")

    with pytest.raises(InputError, match="revision '1', now '2'"):
        evaluate(
            evaluation_of(PAIRS),
            working.run,
            lambda: LocalFleet(Other(tmp_path)),
            no_text_models,
            working.clock,
        )


def test_a_run_without_notes_is_described_by_its_files(working):
    working()
    (working.run / STATUS_FILE).unlink()
    found = read_status(working.run, 0.0)
    assert (found.state, found.shards_done, found.questions_done) == (State.FINISHED, 4, 24)
    assert found.to_json()["questions"] == {"done": 24, "total": None}


@pytest.mark.parametrize("name", ["missing", "."])
def test_what_is_no_run_folder_is_bad_input(tmp_path, name, capsys):
    assert status(tmp_path / name) == 2
    assert "not a run folder (run.json is missing)" in capsys.readouterr().err
