"""`evaluator run --endpoint`: a model behind an address is evaluated as one on this machine is."""

import csv
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter

import pytest
from PIL import Image

from evaluator import api
from evaluator.__main__ import app
from evaluator.answering.messages import BROKEN_IMAGE_ANSWER, FAILED_ANSWER
from evaluator.endpoints.journal import JOURNAL_FILE
from evaluator.runs.folder import read_run
from evaluator.runs.status import read_status, status_lines
from shared.corpus import read_json, write_pairs
from shared.program.cli import run_program
from shared.records import QAPair
from tests.fakes.chat_server import ChatServer, completion, slowly, text_of

IMAGES = 12
QUESTIONS = ("what color is it", "what shape is it")


@pytest.fixture
def data(tmp_path):
    """24 questions about twelve pictures, one of which is broken; all answers are red."""
    folder = tmp_path / "images"
    folder.mkdir()
    for n in range(IMAGES):
        colour = (20 * n, 255 - 20 * n, 40)
        Image.new("RGB", (40 + 3 * n, 30), colour).save(folder / f"{n:02d}.png")
    (folder / "03.png").write_bytes(b"no picture")
    pairs = [
        QAPair(f"{n}-{text[5]}", text, "red", f"{n:02d}.png")
        for n in range(IMAGES)
        for text in QUESTIONS
    ]
    write_pairs(pairs, tmp_path / "qa.csv")
    return tmp_path / "qa.csv"


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def words(data, url, *more, out="run"):
    return [
        *("run", "--data", str(data), "--images", str(data.parent / "images")),
        *("--endpoint", url, "--out", str(data.parent / out)),
        *("--metrics", "exact_match", "--shuffle-sample", "0", *map(str, more)),
    ]


def evaluate(data, url, *more, out="run"):
    with pytest.raises(SystemExit) as leaving:
        run_program(app, "evaluator", words(data, url, "--model", "vlm", *more, out=out))
    return leaving.value.code


def last_line(capsys):
    return capsys.readouterr().err.strip().splitlines()[-1]


def test_answers_are_scored_with_tokens_money_time_and_confidence(data):
    with ChatServer({"vlm": "The color is red."}).serving() as server:
        assert evaluate(data, server.url, "--price-in", 1, "--price-out", 10) == 0
    run = read_run(data.parent / "run")
    assert run.scorecard.scores.metrics["exact_match"].mean == pytest.approx(22 / 24)
    assert run.scorecard.broken_images == 1
    assert run.scorecard.failed_answers == 0
    rows = {row.pair.id: row for row in run.predictions}
    assert rows["0-c"].answer == "red"
    assert rows["0-c"].confidence == pytest.approx(0.6065, abs=1e-4)
    assert rows["3-c"].answer == BROKEN_IMAGE_ANSWER
    cost = run.scorecard.cost
    assert (cost.answers, cost.input_tokens_k, cost.output_tokens_k) == (22, 200_000, 3_000)
    assert cost.usd_k == pytest.approx(0.2 + 0.03)
    assert cost.models == ("vlm",)
    assert 0 < cost.latency_s[0] <= cost.latency_s[1]
    assert "requests     8 at once" in status_lines(read_status(data.parent / "run", time.time()))
    # A run that is finished asks nobody, and costs what it cost.
    assert evaluate(data, server.url, "--price-in", 1, "--price-out", 10) == 0
    assert read_run(data.parent / "run").scorecard.cost == cost


def test_a_request_holds_one_picture_and_the_question_in_its_prompt(data):
    with ChatServer({"vlm": "red"}).serving() as server:
        assert evaluate(data, server.url, "--prompt", "Q: {question}?", "--max-new-tokens", 10) == 0
    assert Counter(text for _, text in server.asked()) == {f"Q: {q}?": 11 for q in QUESTIONS}
    body = server.seen[0]
    assert (body["temperature"], body["max_tokens"], body["logprobs"]) == (0, 10, True)
    [picture, text] = body["messages"][0]["content"]
    assert picture["image_url"]["url"].startswith("data:image/jpeg;base64,")
    assert text["type"] == "text"
    assert "response_format" not in body


def test_lora_modules_are_reached_by_name_and_their_effect_is_counted(data):
    with ChatServer({"vlm": "blue", "lora": "red"}).serving() as server:
        assert evaluate(data, server.url, "--adapter", "lora") == 0
    run = data.parent / "run"
    facts = read_json(run / "model.json")
    assert (facts["model"], facts["revision"]) == ("vlm", "with lora")
    assert facts["adapter_effect"] == {"checked": 22, "changed": 22}
    assert read_run(run).scorecard.scores.metrics["exact_match"].mean == pytest.approx(22 / 24)
    # The sample's answers are the run's own: nothing is asked twice.
    assert Counter(model for model, _ in server.asked()) == {"lora": 22, "vlm": 22}
    assert read_run(run).scorecard.cost.answers == 22


def test_of_several_modules_each_answers_the_questions_of_its_domain(data):
    rows = data.read_text().splitlines()
    head, rest = rows[0], rows[1:]
    domains = ["chairs" if "color" in row else "lamps" for row in rest]
    more = [f"{row},{domain}" for row, domain in zip(rest, domains, strict=True)]
    data.write_text("\n".join([f"{head},domain", *more]))
    modules = ("--adapter", "chairs=lora-1", "--adapter", "lamps=lora-2")
    with ChatServer({"vlm": "red", "lora-1": "red", "lora-2": "blue"}).serving() as server:
        assert evaluate(data, server.url, *modules) == 0
    by_domain = read_run(data.parent / "run").scorecard.scores.by_domain
    means = {name: group.metrics["exact_match"].mean for name, group in by_domain.items()}
    assert means == {"chairs": pytest.approx(11 / 12), "lamps": 0}
    assert Counter(m for m, _ in server.asked()) == {"lora-1": 11, "lora-2": 11, "vlm": 22}


def test_a_key_that_is_not_taken_is_one_line(data, capsys, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-wrong-0123456789abcdefghij")

    def takes_no_key(*_):
        return 401, {"error": {"message": "Incorrect API key", "code": "invalid_api_key"}}

    with ChatServer({"vlm": "red"}, takes_no_key).serving() as server:
        assert evaluate(data, server.url) == 2
    line = last_line(capsys)
    assert "Incorrect API key" in line
    assert "give another" in line
    assert "--retry-keys" not in line
    assert "sk-wrong" not in line


def test_a_question_that_is_too_long_changes_nothing_for_the_others(data):
    def has_no_room(_, text):
        told = "'max_tokens' is too large: 256. This model's maximum context length is 200 tokens"
        return (400, {"error": {"message": told}}) if "shape" in text else None

    with ChatServer({"vlm": "red"}, has_no_room).serving() as server:
        assert evaluate(data, server.url, "--in-flight", 1) == 0
    assert all(body["max_tokens"] == 256 for body in server.seen)
    assert read_run(data.parent / "run").scorecard.failed_answers == 11


@pytest.mark.slow
def test_a_server_that_goes_away_is_waited_for(data):
    broken = itertools.count()

    def away(*_):
        return (503, {"error": {"message": "loading"}}) if 3 <= next(broken) < 9 else None

    with ChatServer({"vlm": "red"}, away).serving() as server:
        assert evaluate(data, server.url, "--in-flight", 4) == 0
    run = read_run(data.parent / "run")
    assert run.scorecard.failed_answers == 0
    assert run.scorecard.cost.requests_k == pytest.approx(1_000 * (22 + 6) / 22)


def test_a_failed_question_is_counted_and_the_rest_completes(data):
    def refuses_shapes(_, text):
        return (400, {"error": {"message": "no shapes"}}) if "shape" in text else None

    with ChatServer({"vlm": "red"}, refuses_shapes).serving() as server:
        assert evaluate(data, server.url, "--in-flight", 1) == 0
    run = read_run(data.parent / "run")
    assert run.scorecard.failed_answers == 11
    assert run.scorecard.scores.metrics["exact_match"].mean == pytest.approx(11 / 24)
    failed = [row for row in run.predictions if row.failure]
    assert {row.answer for row in failed} == {FAILED_ANSWER}
    assert {row.failure for row in failed} == {"400: no shapes"}
    assert run.scorecard.cost.failures == {"400: no shapes": 11}


@pytest.mark.slow
def test_a_third_that_the_server_fails_on_does_not_hold_up_the_rest(data):
    def fails_on_shapes_of_some(body, text):
        picture = body["messages"][0]["content"][0]["image_url"]["url"]
        pictures.setdefault(picture, len(pictures))
        is_bad = "shape" in text and pictures[picture] % 3
        return (500, {"error": {"message": "out of memory"}}) if is_bad else None

    pictures: dict[str, int] = {}
    begun = time.monotonic()
    with ChatServer({"vlm": "red"}, fails_on_shapes_of_some).serving() as server:
        assert evaluate(data, server.url) == 0
    run = read_run(data.parent / "run")
    assert run.scorecard.failed_answers == 7
    assert {row.failure for row in run.predictions if row.failure} == {"500: out of memory"}
    assert len(server.seen) < 22 + 7 * 14
    assert time.monotonic() - begun < 60


@pytest.mark.slow
def test_a_refusal_of_what_only_shows_that_the_server_answers_fails_no_question(data):
    def mood(body, text):
        asked[what := json.dumps(body["messages"])] += 1
        if what in answered:
            repeated.append(what)
            return 400, {"error": {"message": "not again"}}
        if len(asked) > 5 and asked[what] <= 2:
            return 503, {"error": {"message": "loading"}}
        answered.add(what)
        return None

    asked: Counter[str] = Counter()
    answered: set[str] = set()
    repeated: list[str] = []
    with ChatServer({"vlm": "red"}, mood).serving() as server:
        assert evaluate(data, server.url, "--in-flight", 1, "--limit", 3) == 0
    assert repeated
    assert read_run(data.parent / "run").scorecard.failed_answers == 0


def test_a_server_that_heeds_no_limit_is_held_to_it(data, capsys):
    long = " ".join(["a chair of wood that was painted red"] * 20)
    with ChatServer({"vlm": long}).serving() as server:
        assert evaluate(data, server.url, "--max-new-tokens", 4) == 0
    rows = [row for row in read_run(data.parent / "run").predictions if not row.broken_image]
    assert {(row.answer, row.confidence) for row in rows} == {("a chair of wood", None)}
    assert capsys.readouterr().err.count("endpoint_heeds_no_limit") == 1
    assert (data.parent / "run" / JOURNAL_FILE).read_text().count(long) == 22


@pytest.mark.parametrize(
    ("field", "status", "told"),
    [
        ("logprobs", 403, "You are not allowed to request logprobs from this model"),
        ("temperature", 400, "Unsupported value: 'temperature' does not support 0 with this model"),
        ("max_tokens", 400, "Unsupported parameter: 'max_tokens' is not supported"),
    ],
)
def test_a_field_that_is_not_taken_is_left_out(data, field, status, told):
    def does_not_take_it(body, _):
        return (status, {"error": {"message": told}}) if field in body else None

    with ChatServer({"vlm": "red"}, does_not_take_it).serving() as server:
        assert evaluate(data, server.url) == 0
    run = read_run(data.parent / "run")
    assert run.scorecard.failed_answers == 0
    sure = {row.confidence is None for row in run.predictions if not row.broken_image}
    assert sure == {field == "logprobs"}
    assert ("max_completion_tokens" in server.seen[-1]) == (field == "max_tokens")


@pytest.mark.parametrize(
    ("mood", "code", "said"),
    [
        (lambda *_: (200, "<html>Welcome</html>"), 2, "the server answers with a web page"),
        (lambda *_: (200, {"object": "nothing"}), 1, "a reply without an answer (no choices)"),
        (lambda *_: (200, completion("vlm", None)), 1, "a reply without an answer (nothing was"),
        (lambda *_: (400, {"error": {"message": "no images here"}}), 2, "no images here"),
        (
            lambda *_: (
                200,
                completion("vlm", "", finish_reason="length"),
            ),
            1,
            "raise --max-new-tokens",
        ),
    ],
    ids=["a page", "no choices", "no content", "no images", "only thoughts"],
)
def test_an_address_that_never_answers_ends_the_run_in_one_line(data, capsys, mood, code, said):
    with ChatServer({"vlm": "red"}, mood).serving() as server:
        assert evaluate(data, server.url) == code
    line = last_line(capsys)
    assert line.startswith(f"evaluator: --endpoint {server.url}: ")
    assert said in line
    # Nothing was given up: a server that was mended is asked all of it.
    with ChatServer({"vlm": "red"}).serving() as mended:
        assert evaluate(data, mended.url) == 0
    assert len(mended.seen) == 22


def test_nobody_at_the_address_is_one_line_at_once(data, capsys):
    server = ChatServer({})
    server.server_close()
    assert evaluate(data, server.url) == 2
    assert "no connection" in last_line(capsys)
    assert not (data.parent / "run").exists()


def test_a_slow_server_is_waited_for_as_long_as_asked(data, capsys):
    with ChatServer({"vlm": "red"}, slowly(0.6)).serving() as server:
        assert evaluate(data, server.url, "--timeout", 0.2, "--in-flight", 16) == 1
    assert "no answer within 0.2 s" in last_line(capsys)


def test_a_model_that_is_not_served_is_named(data, capsys):
    with ChatServer({"other": "red"}).serving() as server:
        assert evaluate(data, server.url) == 2
    line = last_line(capsys)
    assert line.startswith("evaluator: --model vlm: ")
    assert "the server has other" in line
    assert not server.seen
    assert not (data.parent / "run").exists()


def test_a_model_that_a_metric_lacks_is_told_before_anything_is_asked(data, capsys):
    missing = "--metrics", "csns", "--sentence-model", data.parent / "none"
    with ChatServer({"vlm": "red"}).serving() as server:
        assert evaluate(data, server.url, *missing) == 2
    assert "no such text model folder" in last_line(capsys)
    assert not server.seen
    assert not (data.parent / "run").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--replicas", "2"], "--replicas: the server behind --endpoint decides that"),
        (["--quantize", "none"], "--quantize: the server"),
        (["--price-in", "1"], "--price-in and --price-out: give both"),
        (["--extra-body", "[1]"], "give a JSON object"),
        (["--prompt", "what?"], "say where the question goes"),
        (["--metrics", "vtgs"], "regions behind an answer need gradients"),
        (["--keys", "nowhere.txt"], "nowhere.txt"),
    ],
)
def test_bad_input_is_one_line_and_asks_nothing(data, capsys, options, said):
    with ChatServer({"vlm": "red"}).serving() as server:
        assert evaluate(data, server.url, *options) == 2
    assert said in last_line(capsys)
    assert not server.seen
    assert not (data.parent / "run").exists()


@pytest.mark.parametrize(
    "secret",
    [
        "http://me:pa55word@127.0.0.1/v1",  # pragma: allowlist secret
        "http://h/v1?key=pa55word",
    ],
)
def test_an_address_with_a_secret_in_it_is_refused_and_not_shown(data, capsys, secret):
    assert evaluate(data, secret) == 2
    line = last_line(capsys)
    assert "an address takes no user, password or query" in line
    assert "pa55word" not in line


def test_options_of_addresses_need_one(data, capsys):
    arguments = ["run", "--data", data, "--model", "x", "--out", data.parent / "run"]
    with pytest.raises(SystemExit) as leaving:
        run_program(app, "evaluator", [*map(str, arguments), "--in-flight", "3"])
    assert leaving.value.code == 2
    assert "--concurrency: goes with --endpoint URL" in last_line(capsys)


def test_a_key_is_sent_and_shown_nowhere(data, capsys, monkeypatch):
    secret = "sk-verysecret0123456789abcdef"
    monkeypatch.setenv("OPENAI_API_KEY", secret)

    def repeats_the_key(_, text):
        told = f"bad shape for key {secret}"
        return (400, {"error": {"message": told}}) if "shape" in text else None

    with ChatServer({"vlm": "red"}, repeats_the_key).serving() as server:
        assert evaluate(data, server.url, "--in-flight", 1) == 0
    assert server.keys == {f"Bearer {secret}"}
    written = [path for path in (data.parent / "run").rglob("*") if path.is_file()]
    assert all(secret.encode() not in path.read_bytes() for path in written)
    shown = capsys.readouterr()
    assert secret not in shown.out + shown.err


@pytest.mark.slow
def test_a_run_that_was_killed_asks_nothing_twice(data):
    with ChatServer({"vlm": "red"}, slowly(0.1)).serving() as server:
        command = words(data, server.url, "--model", "vlm", "--in-flight", "1")
        process = subprocess.Popen([sys.executable, "-m", "evaluator", *command], env=os.environ)
        journal = data.parent / "run" / JOURNAL_FILE
        while not journal.is_file() or journal.read_bytes().count(b"\n") < 5:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        kept = journal.read_bytes().count(b"\n")
        with journal.open("ab") as file:
            file.write(b'{"key": "cut o')
        before = len(server.seen)
        server.mood = lambda *_: None
        assert evaluate(data, server.url, "--in-flight", "1") == 0
    assert len(server.seen) - before == 22 - kept
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    assert len({line["key"] for line in lines}) == len(lines) == 22


def test_a_signal_lets_what_is_in_flight_come_in(data, capsys):
    arrived = threading.Barrier(3, lambda: os.kill(os.getpid(), signal.SIGTERM))

    def waits_for_others(*_):
        arrived.wait(timeout=60)
        time.sleep(0.2)

    with ChatServer({"vlm": "red"}, waits_for_others).serving() as server:
        assert evaluate(data, server.url, "--in-flight", 3) == 75
    assert len(server.seen) == 3
    assert "SIGTERM: 3 answers are kept; run the same command again" in last_line(capsys)


def test_the_driver_needs_neither_torch_nor_ray():
    code = (
        "import sys, evaluator.runs.wiring, evaluator.runs.sources.address\n"
        "assert not {'torch', 'ray', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_extra_fields_reach_the_server(data):
    extra = {"chat_template_kwargs": {"enable_thinking": False}}
    with ChatServer({"vlm": "red"}).serving() as server:
        assert evaluate(data, server.url, "--extra-body", json.dumps(extra)) == 0
    assert all(body["chat_template_kwargs"] == {"enable_thinking": False} for body in server.seen)
    assert text_of(server.seen[0])


def predict(*arguments):
    with pytest.raises(SystemExit) as leaving:
        run_program(app, "evaluator", ["predict", *map(str, arguments)])
    return leaving.value.code


def test_single_questions_and_files_are_answered_at_an_address_too(data, capsys):
    images, out = data.parent / "images", data.parent / "answered.csv"

    def refuses_shapes(_, text):
        return (400, {"error": {"message": "no shapes"}}) if "shape" in text else None

    with ChatServer(
        {"vlm": "The color is red.", "lora": "blue"}, refuses_shapes
    ).serving() as server:
        at = ("--endpoint", server.url, "--model", "vlm")
        one = ("--image", images / "00.png", "--question", "what color is it")
        assert predict(*at, *one) == 0
        assert predict(*at, *one, "--adapter", "lora", "--json") == 0
        said = capsys.readouterr().out.splitlines()
        assert said[0] == "red"
        assert json.loads(said[1])["answer"] == "blue"
        many = ("--csv", data, "--images", images, "--out", out, "--in-flight", 1)
        assert predict(*at, *many) == 0
        assert predict(*at, *many, "--batch-size", 3) == 2
    rows = list(csv.DictReader(out.read_text(encoding="utf-8").splitlines()))
    assert Counter(row["failure"] for row in rows) == {"": 13, "400: no shapes": 11}
    assert {row["prediction"] for row in rows if not row["failure"]} == {"red", BROKEN_IMAGE_ANSWER}
    assert list(data.parent.glob("*.jsonl")) == []


@pytest.mark.slow
def test_a_file_that_was_stopped_goes_on_where_it_is_asked_the_same_way(data):
    down = itertools.count()
    images, out = data.parent / "images", data.parent / "answered.csv"
    many = ("--model", "vlm", "--csv", data, "--images", images, "--out", out, "--in-flight", 1)

    def ends_after_nine(*_):
        if next(down) == 8:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.1)

    with ChatServer({"vlm": "red"}, ends_after_nine).serving() as server:
        assert predict("--endpoint", server.url, *many) == 75
        assert not out.exists()
        before = len(server.seen)
        assert predict("--endpoint", server.url, *many) == 0
        assert len(server.seen) == 22
        assert predict("--endpoint", server.url, *many, "--prompt", "{question}!") == 0
        assert len(server.seen) == 44
    assert 9 <= before <= 10


def test_a_dry_run_asks_nobody_and_says_what_a_run_would_cost(data, capsys):
    with ChatServer({"vlm": "red"}).serving() as server:
        priced = ("--price-in", 1, "--price-out", 10, "--dry-run")
        assert evaluate(data, server.url, *priced) == 0
        assert server.asked() == []
    out, err = capsys.readouterr()
    assert "would answer 24 questions about 12 pictures" in out
    assert "US dollars" in out
    assert "nothing was asked or written" in out.splitlines()[-1]
    assert not (data.parent / "run").exists()
    assert err.splitlines()[-1].startswith("next: evaluator run --data ")
    assert "dry-run" not in err.splitlines()[-1]


async def test_an_address_is_asked_from_a_notebook_too(data):
    """A loop runs already in the thread of a notebook's cells."""
    with ChatServer({"vlm": "red"}).serving() as server:
        card = api.evaluate(
            data,
            "vlm",
            data.parent / "run",
            images=data.parent / "images",
            endpoint=server.url,
            metrics=["exact_match"],
            shuffle_sample=0,
        ).scorecard
    assert card.cost.answers == 22
