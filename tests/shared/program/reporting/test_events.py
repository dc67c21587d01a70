"""Events are readable on a terminal, JSON in a file, and hold no secret in either."""

import io
import json
import logging
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import structlog

from shared.program.reporting import events
from shared.program.reporting.events import info_writer, lines_gathered, set_up_events
from shared.program.reporting.secret_mask import MASK, SecretMask

SECRET = "AIzaSy-very-secret-key"


@pytest.fixture
def streams(tmp_path):
    terminal, file = io.StringIO(), tmp_path / "logs" / "events.jsonl"
    set_up_events(
        mask=SecretMask([SECRET]),
        json_file=file,
        terminal=terminal,
        file_only=("curator.chatty",),
    )
    yield terminal, file
    set_up_events()


def lines(file):
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_an_event_goes_to_both(streams):
    terminal, file = streams
    structlog.get_logger("curator.pool").info("key parked", label="k1", seconds=3)
    assert "key parked" in terminal.getvalue()
    assert "label=k1" in terminal.getvalue()
    [row] = lines(file)
    assert row["event"] == "key parked"
    assert (row["label"], row["seconds"], row["level"]) == ("k1", 3, "info")
    assert row["logger"] == "curator.pool"
    assert row["timestamp"].endswith("Z")


class Vendor:
    def __repr__(self) -> str:
        return f"Vendor({SECRET})"


def ask_with_a_suspended_key():
    raise ConnectionError(f"consumer {SECRET} is suspended")


def log_field(log):
    log.info("asked", url=f"https://x/?key={SECRET}")


def log_nested(log):
    log.info("asked", headers={"x-goog-api-key": [SECRET]})


def log_object(log):
    log.info("asked", client=Vendor())


def log_name(log):
    log.warning("asked with %s", SECRET)


def log_exception(log):
    try:
        ask_with_a_suspended_key()
    except ConnectionError:
        log.exception("request failed")


def log_from_a_library(log):
    logging.getLogger("aiohttp").warning("header %s", SECRET)


def log_a_librarys_exception(log):
    try:
        ask_with_a_suspended_key()
    except ConnectionError:
        logging.getLogger("aiohttp").exception("failed with %s", SECRET)


@pytest.mark.parametrize(
    "write",
    [
        log_field,
        log_nested,
        log_object,
        log_name,
        log_exception,
        log_from_a_library,
        log_a_librarys_exception,
    ],
)
def test_no_secret_gets_out(streams, write):
    terminal, file = streams
    write(structlog.get_logger("shared.endpoints.protocols.gemini"))
    for text in (terminal.getvalue(), file.read_text()):
        assert MASK in text
        assert SECRET not in text


def test_a_secret_known_later_is_masked_too(tmp_path):
    mask, terminal = SecretMask(), io.StringIO()
    set_up_events(mask=mask, terminal=terminal)
    mask.register([SECRET])
    structlog.get_logger("curator").info("asked", key=SECRET)
    set_up_events()
    assert SECRET not in terminal.getvalue()


def test_words_too_short_to_be_secrets_are_left_alone():
    assert SecretMask(["red"])("a red shoe") == "a red shoe"


def test_libraries_are_heard_from_warnings_on_and_we_from_info_on(streams):
    terminal, _ = streams
    logging.getLogger("aiohttp").info("noise")
    structlog.get_logger("curator.pool").debug("detail")
    structlog.get_logger("trainer.fitting.fit").info("epoch done")
    assert "noise" not in terminal.getvalue()
    assert "detail" not in terminal.getvalue()
    assert "epoch done" in terminal.getvalue()


def test_a_chatty_part_tells_the_terminal_warnings_alone(streams):
    terminal, file = streams
    structlog.get_logger("curator.chatty").info("every request")
    structlog.get_logger("curator.chatty").warning("trouble")
    assert "every request" not in terminal.getvalue()
    assert "trouble" in terminal.getvalue()
    assert [row["event"] for row in lines(file)] == ["every request", "trouble"]


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(("wish", "has_colours"), [("", True), ("1", False)])
def test_colours_are_for_terminals_and_not_where_nobody_wants_them(wish, has_colours, monkeypatch):
    monkeypatch.setenv("NO_COLOR", wish)
    terminal = Terminal()
    set_up_events(terminal=terminal)
    structlog.get_logger("curator").info("seen")
    set_up_events()
    assert ("\x1b[" in terminal.getvalue()) == has_colours


def test_with_v_everything_is_told(monkeypatch):
    monkeypatch.setenv("ABO_VQA_VERBOSE", "1")
    terminal = io.StringIO()
    set_up_events(terminal=terminal, file_only=("curator.chatty",))
    logging.getLogger("aiohttp").info("of a library")
    structlog.get_logger("curator.chatty").info("every request")
    structlog.get_logger("curator").debug("detail")
    monkeypatch.delenv("ABO_VQA_VERBOSE")
    set_up_events()
    assert all(told in terminal.getvalue() for told in ("of a library", "every request", "detail"))


def test_setting_up_twice_writes_each_event_once(tmp_path):
    terminal = io.StringIO()
    for _ in range(2):
        set_up_events(terminal=terminal)
    structlog.get_logger("curator").info("once")
    set_up_events()
    assert terminal.getvalue().count("once") == 1


def test_a_log_that_was_moved_away_goes_on_in_a_new_file(tmp_path, monkeypatch):
    monkeypatch.setattr(events, "LOOK_EVERY_S", 0.0)
    path = tmp_path / "run.log.jsonl"
    set_up_events(json_file=path)
    log = structlog.stdlib.get_logger("curator.test")
    log.info("before")
    path.rename(tmp_path / "run.log.jsonl.1")
    log.info("after")
    assert "before" in (tmp_path / "run.log.jsonl.1").read_text()
    assert [json.loads(line)["event"] for line in path.read_text().splitlines()] == ["after"]


def test_until_it_is_looked_at_no_line_of_a_moved_log_is_lost(tmp_path, monkeypatch):
    monkeypatch.setattr(events, "LOOK_EVERY_S", 1e9)
    path, moved = tmp_path / "run.log.jsonl", tmp_path / "run.log.jsonl.1"
    set_up_events(json_file=path)
    log = structlog.stdlib.get_logger("curator.test")
    log.info("before")
    path.rename(moved)
    log.info("after")
    lines = moved.read_text().splitlines()
    assert [json.loads(line)["event"] for line in lines] == ["before", "after"]


def test_lines_go_to_what_standard_error_is_at_the_time(monkeypatch):
    set_up_events()
    later = io.StringIO()
    monkeypatch.setattr("sys.stderr", later)
    structlog.stdlib.get_logger("curator.test").warning("heard")
    assert "heard" in later.getvalue()


@dataclass
class Holder:
    name: str
    secret: str = field(default="not to be told", repr=False)

    def __str__(self) -> str:
        return f"holder {self.name}"


@pytest.mark.parametrize(
    "secret", ['geh\u00e9"im-token', "pa\"ss'word", "back\\slash-\u00fc", "a b/c=d"]
)
def test_a_secret_is_masked_however_it_is_quoted(tmp_path, secret):
    terminal, file = io.StringIO(), tmp_path / "log.jsonl"
    set_up_events(mask=SecretMask([secret]), terminal=terminal, json_file=file)
    structlog.get_logger("curator").info("asked", token=secret, within=[f"<{secret}>"])
    set_up_events()
    assert terminal.getvalue().count(MASK) == 2
    assert file.read_text().count(MASK) == 2


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ({"jpg": 3, 4: None}, {"jpg": 3, "4": None}),
        ([1.5, True], [1.5, True]),
        (2**70, 2**70),
        ("half of a pair: \ud83d", "half of a pair: \ud83d"),
        (Path("a/b.jpg"), "a/b.jpg"),
        (Holder("one"), "holder one"),
    ],
)
def test_any_value_can_be_logged(streams, value, written):
    _, file = streams
    structlog.get_logger("curator.pool").info("seen", value=value)
    assert lines(file)[0]["value"] == written


def circle() -> list[object]:
    inner: list[object] = []
    inner.append(inner)
    return inner


@pytest.mark.parametrize(
    "value", [{(1, 2): 3}, {1: "\ud83d", "a": 2}, circle(), [float("inf"), 2**70]]
)
def test_what_no_json_holds_is_logged_in_words(streams, value):
    _, file = streams
    structlog.get_logger("curator.pool").info("seen", value=value)
    assert lines(file)[0]["value"] == str(value)


def test_lines_of_threads_stay_whole(streams):
    terminal, file = streams
    log = structlog.get_logger("curator.pool")
    with ThreadPoolExecutor(6) as threads:
        list(threads.map(lambda number: log.warning("seen", number=number), range(600)))
    shown = terminal.getvalue().splitlines()
    assert len([line for line in shown if line.count("seen") == 1]) == len(shown) == 600
    assert sorted(row["number"] for row in lines(file)) == list(range(600))


def test_the_level_of_a_library_is_for_the_library_to_say(streams):
    _, file = streams
    library = logging.getLogger("library.part")
    library.setLevel(logging.DEBUG)
    library.debug("detail %d", 1)
    library.log(35, "between two levels")
    library.setLevel(1)
    library.log(5, "lower than all")
    library.setLevel(logging.NOTSET)
    told = [(row["event"], row["level"]) for row in lines(file)]
    assert told == [
        ("detail 1", "debug"),
        ("between two levels", "warning"),
        ("lower than all", "debug"),
    ]


def test_a_log_that_cannot_be_written_is_told_once_and_stops_nothing(streams, monkeypatch):
    terminal, file = streams
    log = structlog.get_logger("curator.chatty")
    log.info("before")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(events._File, "write", fail)
        log.info("lost")
        log.info("lost, too")
    log.info("after")
    assert terminal.getvalue().count("log_cannot_be_written") == 1
    assert "No space left" in terminal.getvalue()
    assert [row["event"] for row in lines(file)] == ["before", "after"]


def test_a_terminal_that_is_gone_stops_nothing(tmp_path):
    terminal = io.StringIO()
    set_up_events(terminal=terminal, json_file=tmp_path / "log.jsonl")
    terminal.close()
    structlog.get_logger("curator").warning("alone")
    set_up_events()
    assert [row["event"] for row in lines(tmp_path / "log.jsonl")] == ["alone"]


def test_an_event_that_comes_often_is_written_as_any_other(streams):
    terminal, file = streams
    fields = {"image": "\u00e9\U0001f600.jpg"}
    structlog.get_logger("curator.chatty").info("reply", key=SECRET, **fields)
    info_writer("curator.chatty", "reply")(key=SECRET, **fields)
    assert terminal.getvalue() == ""
    usual, ours = lines(file)
    assert list(ours) == list(usual)
    assert len(ours.pop("timestamp")) == len(usual.pop("timestamp"))
    assert ours == usual
    assert ours["key"] == MASK


def test_an_event_that_comes_often_goes_to_a_terminal_too(streams):
    terminal, file = streams
    info_writer("curator.pool", "reply")(key="k1")
    assert "key=k1" in terminal.getvalue()
    assert len(lines(file)) == 1


def test_lines_are_gathered_until_they_are_flushed_once_for_all(streams):
    _, file = streams
    log, flushes = structlog.get_logger("curator.pool"), []
    with lines_gathered(flushes.append):
        log.info("first")
        log.info("second")
        assert lines(file) == []
        [flush] = flushes
        flush()
        assert [row["event"] for row in lines(file)] == ["first", "second"]
        log.info("third")
        assert len(flushes) == 2
        log.warning("fourth")
        assert len(lines(file)) == 4
        log.info("fifth")
    assert len(lines(file)) == 5
    log.info("sixth")
    assert len(lines(file)) == 6


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_lines_for_which_there_is_no_room_in_the_end_stop_nothing():
    terminal = io.StringIO()
    set_up_events(terminal=terminal, json_file=Path("/dev/full"), file_only=("curator.chatty",))
    with lines_gathered(lambda flush: None):
        info_writer("curator.chatty", "reply")(response="x" * 100)
    set_up_events(terminal=io.StringIO())
    assert terminal.getvalue().count("log_cannot_be_written") == 1


def test_a_log_that_ends_within_a_line_is_gone_on_with_in_a_new_one(tmp_path):
    file = tmp_path / "log.jsonl"
    for before, rows in (('{"event": "cu', 2), ('{"event": "whole"}\n', 2), ("", 1)):
        file.write_text(before, encoding="utf-8")
        set_up_events(terminal=io.StringIO(), json_file=file)
        structlog.get_logger("curator.pool").info("first")
        content = file.read_text(encoding="utf-8")
        assert content.startswith(before)
        assert len(content.splitlines()) == rows
        assert json.loads(content.splitlines()[-1])["event"] == "first"


FAILS = """
import rich.console
from shared.program.reporting.event_log import EventLog

def divide(secret):
    return len(secret) / 0

try:
    divide("".join(["AIza", "Hidden"]))
except ZeroDivisionError:
    EventLog("x").error("failed", exc_info=True)
"""


def test_no_traceback_of_an_event_tells_what_variables_hold():
    told = subprocess.run(
        [sys.executable, "-c", FAILS], capture_output=True, text=True, check=True
    ).stderr
    assert "ZeroDivisionError" in told
    assert "AIzaHidden" not in told
