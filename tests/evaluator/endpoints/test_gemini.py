"""Gemini as the one who is evaluated: with the curator's keys, within their quotas."""

import asyncio
import threading
from contextlib import contextmanager

import pytest

from curator.rehearsal.script import RehearsalScript
from curator.rehearsal.wiring import build_server, read_answers
from evaluator.__main__ import app
from evaluator.endpoints.journal import JOURNAL_FILE, Journal
from evaluator.runs.folder import read_run
from shared.program.cli import run_program
from shared.program.clock import SystemClock
from shared.program.settings import validated
from tests.curator.pictures import write_abo, write_answers

MODEL = "gemini-3.5-flash-lite"
KEYS = """
[[key]]
label = "{label}"
project = "{label}"
api_key = "AIza-{label}-0123456789012345678901234"
rpd = {rpd}
"""


@contextmanager
def rehearsing(images, answers, work, projects):
    """Serve in a thread of its own: the evaluator's loop is its own as well."""
    script = validated(
        RehearsalScript,
        {
            "images": images,
            "answers": answers,
            "project": [{"name": name, "rpd": rpd} for name, rpd in projects.items()],
            "key": [
                {
                    "label": name,
                    "api_key": f"AIza-{name}-0123456789012345678901234",
                    "project": name,
                }
                for name in projects
            ],
        },
        source="test",
    )
    server = build_server(script, read_answers(script, work / "thumbnails"), SystemClock())
    started, ended, url = threading.Event(), threading.Event(), []

    async def serve():
        async with server.serving() as address:
            url.append(address)
            started.set()
            await asyncio.to_thread(ended.wait)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert started.wait(60)
    try:
        yield url[0]
    finally:
        ended.set()
        thread.join()


@pytest.fixture
def data(tmp_path):
    images = write_abo(tmp_path / "abo", 6) / "images" / "small"
    return write_answers(images, tmp_path / "answers.csv"), images


def evaluate(data, url, keys):
    answers, images = data
    words = [
        *("run", "--data", answers, "--images", images, "--out", keys.parent / "run"),
        *("--service", "gemini", "--endpoint", url, "--model", MODEL, "--keys", keys),
        *("--metrics", "exact_match", "--shuffle-sample", "0"),
        *("--prompt", "Question: {question}"),
    ]
    with pytest.raises(SystemExit) as leaving:
        run_program(app, "evaluator", [*map(str, words)])
    return leaving.value.code


def write_keys(path, **projects):
    path.write_text("".join(KEYS.format(label=name, rpd=rpd) for name, rpd in projects.items()))
    return path


def test_gemini_answers_with_the_curators_keys_at_its_price(data, tmp_path):
    keys = write_keys(tmp_path / "keys.toml", one=500, two=500)
    with rehearsing(data[1], data[0], tmp_path, {"one": 500, "two": 500}) as url:
        assert evaluate(data, url, keys) == 0
    run = read_run(tmp_path / "run")
    assert run.scorecard.failed_answers == 0
    assert run.scorecard.scores.metrics["exact_match"].mean == 1
    cost = run.scorecard.cost
    assert cost.models == (MODEL,)
    assert cost.usd_k > 0
    assert "read on" in cost.price
    answers = Journal(tmp_path / "run" / JOURNAL_FILE).answers.values()
    assert {asked.project for asked in answers} == {"one", "two"}


def test_a_spent_quota_ends_the_run_which_counts_what_it_asked_before(data, tmp_path, capsys):
    keys = write_keys(tmp_path / "keys.toml", one=3)
    with rehearsing(data[1], data[0], tmp_path, {"one": 50}) as url:
        assert evaluate(data, url, keys) == 75
        # The file's own limit is held, and by the next process too.
        assert evaluate(data, url, keys) == 75
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert "come back at" in told
    assert len(Journal(tmp_path / "run" / JOURNAL_FILE).answers) == 3
