"""`--judge`: a model behind an address judges answers, in all the moods that servers have."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from evaluator.__main__ import app
from evaluator.comparing.several import compare_all
from evaluator.runs.folder import read_runs
from evaluator.runs.score_files import score_files
from evaluator.runs.settings import ScoreSettings
from shared.corpus import write_predictions
from shared.errors import InputError
from shared.program.cli import run_program
from shared.program.clock import SystemClock
from tests.evaluator.predictions import predicted
from tests.fakes.chat_server import ChatServer, completion

ROWS = 30


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ABO_VQA_CACHE", str(tmp_path / "cache"))
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def answers(tmp_path):
    """Thirty answers: ten are the reference, ten say it in other words, ten are wrong."""
    said = ["navy", "navy blue", "red"]
    rows = [
        predicted(said[n % 3], "navy", image=f"{n // 2}.jpg", question=f"what color is part {n}")
        for n in range(ROWS)
    ]
    write_predictions(rows, tmp_path / "answers.csv", {})
    return tmp_path / "answers.csv"


def data_in(text):
    return json.loads(text.split("<data>\n")[1].split("\n</data>")[0])


def verdict(data):
    return "right" if any(ref in data["answer"] for ref in data["references"]) else "wrong"


def judging(change=lambda n, said: said, model="judge-2026-01"):
    """Return a server that judges well; ``change`` makes something else of the n-th reply."""
    count = iter(range(10**6))

    def mood(_, text):
        said = 200, completion(model, json.dumps({"verdict": verdict(data_in(text))}))
        return change(next(count), said)

    return ChatServer({"judge": ""}, mood)


def refused(status, message):
    return status, {"error": {"message": message, "type": "error", "code": None}}


def scored(answers, server, **settings):
    asked = ScoreSettings(
        predictions=(str(answers),),
        metrics="exact_match",
        judge="judge",
        judge_endpoint=server.url,
        **settings,
    )
    [file] = score_files(asked, SystemClock()).values()
    return file


def test_a_judge_is_one_metric_more_with_model_version_and_rubric_in_its_signature(answers):
    with judging().serving() as server:
        card = scored(answers, server).scorecard
    assert card.scores.metrics["exact_match"].mean == pytest.approx(1 / 3)
    figure = card.scores.metrics["judge"]
    assert figure.mean == pytest.approx(2 / 3)
    assert figure.ci95[0] < figure.mean < figure.ci95[1]
    assert card.signatures["judge"].startswith("judge@judge-2026-01|openai|rubric default #")
    assert (card.judged.rows, card.judged.unsaid) == (ROWS, {})
    assert card.judged.cost.answers == ROWS
    assert card.judged.cost.input_tokens_k == 200_000
    body = server.seen[0]
    assert [part["type"] for part in body["messages"][0]["content"]] == ["text", "text"]
    assert body["response_format"]["type"] == "json_schema"
    assert (body["temperature"], "logprobs" in body) == (0, False)


def test_nothing_is_asked_twice_and_a_second_scoring_asks_nobody(answers):
    with judging().serving() as server:
        first = scored(answers, server).scorecard
        assert len(server.seen) == ROWS
    # Nobody is there any more.
    again = scored(answers, server).scorecard
    assert again == first
    assert again.judged.cost == first.judged.cost


def test_another_rubric_is_another_metric_and_asks_anew(answers, tmp_path):
    (tmp_path / "strict.txt").write_text("Only the very same words are right.")
    with judging().serving() as server:
        usual = scored(answers, server).scorecard.signatures["judge"]
        strict = scored(answers, server, judge_rubric=tmp_path / "strict.txt").scorecard
    assert "rubric strict.txt #" in strict.signatures["judge"]
    assert strict.signatures["judge"] != usual
    assert len(server.seen) == 2 * ROWS
    assert "Only the very same words" in server.seen[-1]["messages"][0]["content"][0]["text"]


def test_another_version_of_the_model_is_another_metric(answers, tmp_path):
    cards = []
    for version in ("judge-1", "judge-2"):
        with judging(model=version).serving() as server:
            cache = tmp_path / f"{version}.sqlite"
            cards.append(scored(answers, server, judge_cache=cache).scorecard)
    one, other = (card.signatures["judge"] for card in cards)
    assert ("judge@judge-1|" in one, "judge@judge-2|" in other) == (True, True)


def test_replies_without_a_verdict_are_neither_right_nor_wrong(answers):
    def change(n, said):
        if n % 5 == 1:
            return 200, completion("judge", "It depends.")
        return (200, completion("judge", '{"verdict": "unsure"}')) if n % 5 == 3 else said

    with judging(change).serving() as server:
        file = scored(answers, server)
        asked = len(server.seen)
        assert scored(answers, server).scorecard == file.scorecard
        assert len(server.seen) == asked
    assert file.scorecard.judged.unsaid == {
        "a reply without a verdict": 6,
        "the judge is unsure": 6,
    }
    assert file.scorecard.scores.metrics["judge"].n == ROWS - 12
    assert np.isnan(file.columns["judge"]).sum() == 12


@pytest.mark.parametrize(
    "change",
    [
        lambda n, said: refused(500, "oops") if n % 4 == 2 else said,
        lambda n, said: (200, "<html>gateway</html>") if n % 6 == 3 else said,
    ],
)
def test_a_server_that_stumbles_is_asked_again(answers, change):
    with judging(change).serving() as server:
        card = scored(answers, server).scorecard
    assert card.scores.metrics["judge"].mean == pytest.approx(2 / 3)
    assert card.scores.metrics["judge"].n == ROWS


def test_a_server_that_knows_no_json_mode_is_asked_in_plain_text(answers):
    def mood(body, text):
        if "response_format" in body:
            return refused(400, "response_format is not supported by this model")
        return 200, completion("judge", f"**{verdict(data_in(text)).title()}**")

    with ChatServer({"judge": ""}, mood).serving() as server:
        card = scored(answers, server).scorecard
    assert card.scores.metrics["judge"].mean == pytest.approx(2 / 3)


def run(*words):
    with pytest.raises(SystemExit) as leaving:
        run_program(app, "evaluator", [*map(str, words)])
    return leaving.value.code


@pytest.mark.parametrize(
    ("mood", "code", "told"),
    [
        (lambda *_: (200, completion("judge", "I like turtles.")), 1, "a reply without a verdict"),
        (lambda *_: refused(400, "no text without a picture"), 2, "no text without a picture"),
    ],
)
def test_a_judge_of_no_use_ends_the_scoring_in_one_line_and_writes_nothing(
    answers, tmp_path, capsys, mood, code, told
):
    with ChatServer({"judge": ""}, mood).serving() as server:
        words = "score", answers, "--judge", "judge", "--judge-endpoint", server.url
        assert run(*words, "--metrics", "exact_match", "--out", tmp_path / "run") == code
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert line.startswith("evaluator: --judge-endpoint http")
    assert told in line
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--judge", "judge", "--judge-endpoint", "http://127.0.0.1:9"], "start the server"),
        (["--judge-endpoint", "http://127.0.0.1:9"], "goes with --judge MODEL"),
        (["--metrics", "judge"], "name the model that judges"),
        (["--judge", "j", "--judge-service", "gemini"], "give --judge-keys FILE or set GEMINI"),
        (["--judge", "j", "--judge-extra-body", "x"], "--judge-extra-body 'x': not JSON"),
        (["--judge", " "], "give the name of the model"),
    ],
)
def test_a_judge_that_cannot_be_asked_is_refused_before_anything(
    answers, capsys, monkeypatch, options, told
):
    monkeypatch.delenv("GEMINI_API_KEYS", raising=False)
    usual = [] if "--metrics" in options else ["--metrics", "exact_match"]
    assert run("score", answers, *usual, *options) == 2
    assert told in capsys.readouterr().err


def test_a_judge_that_is_down_is_found_before_models_are_loaded(answers, tmp_path, capsys):
    words = "score", answers, "--judge", "judge", "--judge-endpoint", "http://127.0.0.1:9"
    more = "--metrics", "csns", "--sentence-model", tmp_path / "none", "--out", tmp_path / "run"
    assert run(*words, *more) == 2
    assert "start the server" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_an_answer_that_never_came_is_wrong_and_nobody_is_asked(tmp_path):
    rows = [predicted("", "navy"), predicted("?", "navy", image="b.jpg", broken=True)]
    write_predictions(rows, tmp_path / "answers.csv", {})
    with judging().serving() as server:
        card = scored(tmp_path / "answers.csv", server).scorecard
    assert server.seen == []
    assert (card.scores.metrics["judge"].mean, card.scores.metrics["judge"].n) == (0, 2)


def test_people_who_judged_answers_tell_how_right_the_judge_is(answers, tmp_path):
    lines = answers.read_text().splitlines()
    reviews = ["answer_review", *(("right", "wrong", "wrong")[n % 3] for n in range(18))]
    reviews += [""] * (len(lines) - len(reviews))
    answers.write_text("\n".join(f"{a},{b}" for a, b in zip(lines, reviews, strict=True)))
    with judging().serving() as server:
        card = scored(answers, server).scorecard
    check = card.judged.check
    # People call "navy blue" wrong for "navy", the judge does not.
    assert (check.by, check.people, check.too_mild, check.too_strict) == ("answers", 18, 6, 0)
    assert check.judge_mean == pytest.approx(2 / 3)
    assert check.mean == pytest.approx(1 / 3, abs=0.02)


def test_people_who_judged_labels_tell_it_too(tmp_path):
    def row(n):
        about = {"image": f"{n}.jpg", "question": f"what color is part {n}"}
        answer = predicted("navy", "navy", **about)
        if n >= 12:
            return answer
        # Of the labels that people saw, every fourth was wrong: the model's answer was right.
        review = {"label_review": "corrected", "label_before_review": "red"} if n % 4 == 0 else {}
        return replace(answer, pair=replace(answer.pair, label_sample="whole", **review))

    write_predictions([row(n) for n in range(40)], tmp_path / "answers.csv", {})
    with judging().serving() as server:
        card = scored(tmp_path / "answers.csv", server).scorecard
    check = card.judged.check
    assert (check.by, check.people, check.too_strict) == ("labels", 12, 3)
    assert card.scores.metrics["judge"].mean == 1
    assert check.mean == pytest.approx(1)


def test_runs_are_compared_by_their_judge_and_only_if_it_is_the_same(answers, tmp_path):
    with judging().serving() as server:
        for name, rubric in (("a", []), ("b", []), ("c", ["--judge-rubric", answers])):
            words = "score", answers, "--judge", "judge", "--judge-endpoint", server.url
            out = "--out", tmp_path / name, "--metrics", "exact_match"
            assert run(*words, *out, *rubric) == 0
    a, b, c = (read_runs([tmp_path / name])[0] for name in "abc")
    several = compare_all([a, b], None)
    assert [each.metric for each in several.comparisons[0].metrics] == ["exact_match", "judge"]
    with pytest.raises(InputError, match="measured differently"):
        compare_all([a, c], None)
    assert run("report", tmp_path / "a", "--out", tmp_path / "report.html") == 0
    page = (tmp_path / "report.html").read_text()
    assert ">Judge" in page
    assert "1,000 verdicts of its judge take" in page


@pytest.mark.slow
def test_a_scoring_that_is_killed_goes_on_where_it_was(answers, tmp_path):
    def slowly(_, said):
        time.sleep(0.1)
        return said

    with judging(slowly).serving() as server:
        words = [sys.executable, "-m", "evaluator", "score", str(answers), "--judge", "judge"]
        words += ["--judge-endpoint", server.url, "--judge-concurrency", "1"]
        words += ["--metrics", "exact_match", "--out", str(tmp_path / "run")]
        root = str(Path(__file__).parents[3])
        killed = subprocess.Popen(words, cwd=root, stderr=subprocess.DEVNULL, env={**os.environ})
        while len(server.seen) < 8:
            time.sleep(0.01)
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        before = len(server.seen)
        assert before < ROWS
        assert not (tmp_path / "run").exists()
        file = scored(answers, server)
        # What was in flight is asked again, and nothing else.
        assert len(server.seen) - before <= ROWS - before + 2
    assert file.scorecard.judged.cost.answers == ROWS


async def test_it_judges_where_a_loop_runs_already_as_in_a_notebook(answers):
    with judging().serving() as server:
        assert scored(answers, server).scorecard.judged.cost.answers == ROWS
