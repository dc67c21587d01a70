"""Verdicts on disk: kept whatever happens, and shared by all who judge at a time."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from evaluator.endpoints.journal import Asked
from evaluator.judging.verdicts import Verdicts
from shared.errors import InputError

RIGHT = Asked('{"verdict": "right"}', latency_s=0.5, model="judge", answered_by="judge-1")
WRONG = Asked('{"verdict": "wrong"}', latency_s=0.5, model="judge", answered_by="judge-1")


def test_what_was_said_is_read_by_the_next_who_asks(tmp_path):
    Verdicts(tmp_path / "deep" / "verdicts.sqlite").keep("a", RIGHT)
    again = Verdicts(tmp_path / "deep" / "verdicts.sqlite")
    again.read([f"{n}" for n in range(1_200)] + ["a"])
    assert again.answers == {"a": RIGHT}


def test_what_got_no_reply_is_asked_again_by_the_next(tmp_path):
    path = tmp_path / "verdicts.sqlite"
    first, failed = Verdicts(path), Asked("", failure="400: blocked")
    first.keep("a", failed)
    first.keep("b", Asked("", failure="a reply without a verdict", said="?", latency_s=1))
    assert first.answers["a"] == failed
    again = Verdicts(path)
    again.read(["a", "b"])
    assert list(again.answers) == ["b"]


def test_of_two_who_ask_the_same_at_once_the_first_reply_counts_for_both(tmp_path):
    path = tmp_path / "verdicts.sqlite"
    one, other = Verdicts(path), Verdicts(path)
    one.keep("a", RIGHT)
    other.keep("a", WRONG)
    assert one.answers == other.answers == {"a": RIGHT}


def test_many_at_a_time_lose_nothing(tmp_path):
    path = tmp_path / "verdicts.sqlite"

    def write(worker):
        verdicts = Verdicts(path)
        for n in range(6):
            verdicts.keep(f"{worker}-{n}", RIGHT)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    last = Verdicts(path)
    last.read([f"{worker}-{n}" for worker in range(4) for n in range(6)])
    assert len(last.answers) == 24


def test_a_file_of_something_else_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("what I bought " * 100)
    with pytest.raises(InputError, match="holds no verdicts of judges"):
        Verdicts(path)
    assert path.read_text() == "what I bought " * 100
    with pytest.raises(InputError, match="unable to open database file; name a file"):
        Verdicts(tmp_path)
    ledger = tmp_path / "abo.db"
    for table in ("verdicts (a)", "keys (label)"):
        with closing(sqlite3.connect(ledger)) as database:
            database.execute(f"CREATE TABLE {table}")
        before = ledger.read_bytes()
        with pytest.raises(InputError, match="is a database of something else"):
            Verdicts(ledger)
        assert ledger.read_bytes() == before
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be made"):
        Verdicts(tmp_path / "file" / "verdicts.sqlite")
