"""A run that asks again under changes: of a model in this process, and of one at an address."""

from collections import Counter
from dataclasses import replace

import pytest

from evaluator.__main__ import app
from evaluator.answering.replica import Replica
from evaluator.robustness.changes import parse_changes
from evaluator.runs.folder import read_run, shard_path
from evaluator.runs.run import evaluate
from shared.corpus import write_pairs
from shared.images.source import ImageFolder
from shared.program.cli import run_program
from shared.questions.answers import exact_match
from shared.records import Question
from shared.records.boxes import Box
from tests.evaluator.replicas import CountingFleet, evaluation_of, no_text_models, settings_for
from tests.fakes.chat_server import ChatServer, completion
from tests.fakes.clock import FakeClock


@pytest.fixture
def evaluation(pictures):
    pairs = [replace(pair, boxes=(Box(0, 0, 0.5, 1),)) for pair in pictures[1]]
    return replace(
        evaluation_of(pairs),
        changes=parse_changes("darker=0.1,turned=90,rephrased"),
        changed_images=frozenset(sorted({pair.filename for pair in pairs})[:6]),
    )


def test_each_change_has_its_figures_on_the_same_questions(
    tmp_path, tiny_model, pictures, evaluation
):
    fleet = CountingFleet(settings_for(tiny_model, pictures[0]))
    card = evaluate(evaluation, tmp_path / "run", lambda: fleet, no_text_models, FakeClock())
    assert list(card.robustness) == ["darker=0.1", "turned=90", "rephrased"]
    dark = card.robustness["darker=0.1"]
    plain = {p.pair: p for p in read_run(tmp_path / "run").predictions}
    some = [pair for pair in plain if pair.filename in evaluation.changed_images]
    assert (dark.images, dark.scores.n, dark.left_out) == (6, len(some), 0)
    # The same answers as to pictures that are dark on disk.
    replica = Replica(settings_for(tiny_model, pictures[0]))
    asked = [
        Question(str(n), p.question, p.filename, view="darker=0.1") for n, p in enumerate(some)
    ]
    said = {some[int(r.question_id)]: r.answer for r in replica.answer(asked)}
    others = [not exact_match(said[pair], plain[pair].answer) for pair in some]
    assert dark.other_answers.mean == pytest.approx(sum(others) / len(some))
    drop = [
        exact_match(plain[pair].answer, pair.answer) - exact_match(said[pair], pair.answer)
        for pair in some
    ]
    assert dark.drop["exact_match"].mean == pytest.approx(sum(drop) / len(some))
    assert read_run(tmp_path / "run").scorecard == card


def test_a_changed_picture_is_read_and_encoded_once_for_all_its_questions(tiny_model, pictures):
    read = Counter()

    class Counted(ImageFolder):
        def read(self, name):
            read[name] += 1
            return super().read(name)

    replica = Replica(settings_for(tiny_model, pictures[0]), images=Counted(pictures[0]))
    asked = [
        Question(f"{n} {view}", pair.question, pair.filename, view=view)
        for n, pair in enumerate(pictures[1][:6])
        for view in ("", "darker=0.1")
    ]
    replies = replica.answer(asked)
    assert {reply.question_id for reply in replies} == {q.id for q in asked}
    assert set(read.values()) == {2}


def test_a_stopped_run_asks_no_change_again(tmp_path, tiny_model, pictures, evaluation):
    fleet = CountingFleet(settings_for(tiny_model, pictures[0]))
    folder = tmp_path / "run"
    card = evaluate(evaluation, folder, lambda: fleet, no_text_models, FakeClock())
    last = max(fleet.asked)
    shard_path(folder, last).unlink()
    fleet.asked.clear()
    assert evaluate(evaluation, folder, lambda: fleet, no_text_models, FakeClock()) == card
    assert fleet.asked == [last]


def words(tmp_path, data, images, url, *more):
    return [
        *("run", "--data", str(data), "--images", str(images), "--endpoint", url, "--model", "vlm"),
        *("--out", str(tmp_path / "run"), "--metrics", "exact_match", "--shuffle-sample", "0"),
        *more,
    ]


def test_an_address_is_sent_changed_pictures_and_questions(tmp_path, pictures, capsys):
    folder, pairs = pictures
    some = [replace(pair, question="what color is the thing", answer="red") for pair in pairs]
    names = sorted({pair.filename for pair in some})[:3]
    data = tmp_path / "qa.csv"
    write_pairs([next(pair for pair in some if pair.filename == name) for name in names], data)

    def mood(body, text):
        # Who looks at text alone is thrown by other words.
        return 200, completion("vlm", "blue" if "what is" in text else "red")

    with ChatServer({"vlm": "red"}, mood).serving() as server:
        asked = words(tmp_path, data, folder, server.url, "--robustness", "compressed=5,rephrased")
        with pytest.raises(SystemExit) as leaving:
            run_program(app, "evaluator", asked)
    assert leaving.value.code == 0
    pictures_sent = {body["messages"][0]["content"][0]["image_url"]["url"] for body in server.seen}
    assert (len(server.seen), len(pictures_sent)) == (9, 6)
    robustness = read_run(tmp_path / "run").scorecard.robustness
    assert robustness["compressed=5"].drop["exact_match"].mean == 0
    assert robustness["rephrased"].drop["exact_match"].mean == 1
    told = capsys.readouterr()
    assert "questions=6" in told.err
    assert "What is lost" in told.out


def test_other_words_are_refused_where_no_rule_knows_the_language(tmp_path, pictures, capsys):
    folder, pairs = pictures
    write_pairs([replace(pairs[0], question="de quelle couleur ?")], tmp_path / "qa.csv")
    asked = words(
        tmp_path, tmp_path / "qa.csv", folder, "http://127.0.0.1:9", "--robustness", "all"
    )
    with pytest.raises(SystemExit) as leaving:
        run_program(app, "evaluator", asked)
    assert leaving.value.code == 2
    assert "no rule fits any of 1 questions" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_dry_run_counts_what_changes_and_a_judge_would_ask(tmp_path, pictures, capsys):
    folder, pairs = pictures
    write_pairs(
        [replace(pair, question="what color is the thing") for pair in pairs[::2]],
        data := tmp_path / "qa.csv",
    )
    judge = "--judge", "j", "--judge-endpoint", "http://127.0.0.1:9", "--dry-run"
    changes = "--robustness", "darker,turned,rephrased", "--robustness-sample", "2"
    with pytest.raises(SystemExit) as leaving:
        run_program(
            app, "evaluator", words(tmp_path, data, folder, "http://127.0.0.1:9", *changes, *judge)
        )
    assert leaving.value.code == 0
    told = capsys.readouterr().out
    assert "6 questions again under changes: darker=0.5, turned=15, rephrased" in told
    assert f"at most {len(pairs[::2]) + 6} verdicts" in told
    assert not (tmp_path / "run").exists()
