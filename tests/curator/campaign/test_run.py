"""Whole runs against the rehearsal server; in a process of its own where one is killed."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import socket
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from curator.__main__ import app
from curator.ledger import Ledger, LedgerFailure, migrate
from curator.ledger.queue.functions import draw
from shared.corpus import read_json, read_pairs
from shared.endpoints.pool.exhaustion import OnExhausted
from shared.program.cli import run_program
from shared.program.clock import stopwatch
from tests.curator.campaigns import KEYS, PICTURES, ended, until_requests
from tests.curator.pictures import write_abo
from tests.fakes.jumping_clock import JumpingClock


async def test_a_catalogue_becomes_a_data_set_and_nothing_is_asked_twice(stage):
    campaign = await stage()
    first = await ended(await campaign.start())
    assert first.code == 0, first.err
    assert "12 of 12 images done" in first.out
    assert campaign.requests == PICTURES
    again = await campaign.run()
    assert (again.code, campaign.requests) == (0, PICTURES)

    out = campaign.folder / "qa.csv"
    result = await campaign.command("export", "--out", str(out))
    assert (result.code, result.out) == (0, f"36 pairs in {out}\n")
    assert out.read_text().splitlines()[0] == "id,question,answer,filename"
    pairs = read_pairs(out)
    assert len({pair.id for pair in pairs}) == 36
    assert {pair.filename for pair in pairs} == {
        path.relative_to(campaign.catalog / "images" / "small").as_posix()
        for path in (campaign.catalog / "images" / "small").rglob("*.jpg")
    }

    folder = campaign.folder / "data"
    assert (await campaign.command("export", "--out", str(folder))).code == 0
    splits = {}
    for pair in read_pairs(folder):
        assert splits.setdefault(pair.filename, pair.split) == pair.split
    manifest = read_json(folder / "manifest.json")
    assert manifest["pairs"] == 36
    assert manifest["source"]["prompt_version"]
    assert manifest["agreement_with_listing"]["unknown"] == 36


@pytest.mark.slow
async def test_a_plain_rate_holds_back_what_no_quota_does(stage):
    """A tenth of a minute's requests go at once, and the next ones six seconds later."""
    campaign = await stage()
    started = stopwatch()
    running = asyncio.create_task(campaign.run(requests_per_minute=60, concurrency=8))
    await asyncio.sleep(3)
    assert campaign.requests == 6
    assert (await running).code == 0
    assert campaign.requests == PICTURES
    assert stopwatch() - started >= 6


async def test_status_tells_progress_keys_tokens_and_attempts(stage):
    campaign = await stage()
    await campaign.run()
    status = await campaign.status()
    assert status["progress"] == {"pending": 0, "done": 12, "dead": 0, "total": 12}
    assert status["attempts"] == {"answered": 12}
    assert status["tokens"]["input"] > 0
    assert [key["label"] for key in status["keys"]] == ["key-1", "key-2", "key-3"]
    shown = await campaign.command("status")
    assert "12 of 12 done" in shown.out


async def test_status_is_told_while_a_run_works(stage):
    campaign = await stage(latency={"mean_ms": 20}, unlisted_quota={"rpd": 2})
    running = asyncio.create_task(campaign.run(on_exhausted=OnExhausted.WAIT))
    while len(campaign.pairs()) < 3 * 6 if campaign.ledger.exists() else True:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    status = await campaign.status()
    assert status["progress"] == {"pending": 6, "done": 6, "dead": 0, "total": 12}
    # Nothing was stated; what the refusals taught is that six more take another day or two.
    assert status["eta_s"] > 0
    assert status["cost_usd"] > 0
    os.kill(os.getpid(), signal.SIGTERM)
    assert (await running).code == 75


async def test_a_dead_key_leaves_the_pool_with_the_warning_line(stage):
    dying = {"api_key": KEYS[1], "state": "invalid", "valid_for": 1}
    campaign = await stage(key=[dying])
    result = await campaign.run()
    assert result.code == 0, result.err
    line = "Key key-2 failed (API_KEY_INVALID); removing from pool."
    assert [one for one in result.err.splitlines() if line in one and "warning" in one]
    assert result.err.count(line) == 1
    assert campaign.requests <= PICTURES + 2
    status = await campaign.status()
    assert status["progress"]["done"] == PICTURES
    assert [key["removed_because"] for key in status["keys"]] == ["", "API_KEY_INVALID", ""]


async def test_exhausted_keys_stop_the_run_with_75_and_the_time_to_come_back(stage):
    campaign = await stage(*KEYS[:2], unlisted_quota={"rpd": 3})
    result = await campaign.run()
    assert result.code == 75, result.err
    moment = r"\d{4}-\d\d-\d\d \d\d:\d\d [A-Z+-]\S+"
    told = rf"All API keys exhausted; come back at {moment} and run the same command again"
    assert re.search(told, result.err.splitlines()[-1])
    assert (await campaign.status())["progress"]["done"] == 6
    asked = campaign.requests
    assert asked <= 6 + 2 * 2
    again = await campaign.run()
    assert (again.code, campaign.requests) == (75, asked)
    assert "All API keys exhausted" in again.err


async def test_the_last_request_that_a_day_allows_is_sent_too(stage):
    campaign = await stage()
    keys = campaign.folder / "limited.toml"
    keys.write_text(f'[[key]]\nlabel = "a"\nproject = "p"\napi_key = "{KEYS[0]}"\nrpd = 5\n')
    for turn in range(1, 3):
        result = await campaign.run(keys=keys, concurrency=8, limit=6 * turn)
        assert result.code == 75, result.err
        assert campaign.requests == 5
        assert (await campaign.status())["progress"]["done"] == 5


async def test_a_service_that_cannot_be_reached_costs_neither_quota_nor_images(stage):
    campaign = await stage()
    keys = campaign.folder / "limited.toml"
    keys.write_text(f'[[key]]\nlabel = "a"\nproject = "p"\napi_key = "{KEYS[0]}"\nrpd = 12\n')
    running = asyncio.create_task(campaign.run(keys=keys, base_url="http://127.0.0.1:9"))
    log = campaign.ledger.with_name(f"{campaign.ledger.name}.log.jsonl")
    while not log.exists() or "service_unreachable" not in log.read_text():  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    await asyncio.sleep(1.5)
    os.kill(os.getpid(), signal.SIGTERM)
    assert (await running).code == 75
    assert log.read_text().count("service_unreachable") == 1
    status = await campaign.status()
    assert (status["progress"]["pending"], status["attempts"]) == (PICTURES, {})
    result = await campaign.run(keys=keys)
    assert (result.code, campaign.requests) == (0, PICTURES), result.err


async def test_all_keys_dead_is_exhausted_too(stage):
    campaign = await stage(KEYS[0], key=[{"api_key": KEYS[0], "state": "suspended"}])
    result = await campaign.run(on_exhausted=OnExhausted.WAIT)
    assert result.code == 75
    assert "All API keys exhausted" in result.err
    assert "--retry-keys" in result.err.splitlines()[-1]
    assert KEYS[0] not in result.err


async def test_after_a_kill_only_what_was_in_flight_is_repeated(stage):
    campaign = await stage(latency={"mean_ms": 100})
    process = await campaign.start()
    await until_requests(campaign, 5)
    process.kill()
    assert (await ended(process)).code == -signal.SIGKILL
    result = await campaign.run()
    assert result.code == 0, result.err
    assert campaign.requests <= PICTURES + 2
    assert len(campaign.pairs()) == len(set(campaign.pairs())) == 36
    status = await campaign.status()
    # A request may be killed after it was counted and before it was sent, never the other way.
    assert campaign.requests <= sum(status["attempts"].values()) <= PICTURES + 2


async def test_a_ledger_that_fails_ends_the_run(stage):
    campaign = await stage(latency={"mean_ms": 100})
    running = asyncio.create_task(campaign.run())
    await until_requests(campaign, 3)
    with closing(sqlite3.connect(campaign.ledger)) as database:
        database.execute("ALTER TABLE replies RENAME TO lost")
    result = await running
    assert result.code == 1
    assert "the ledger cannot be used any more" in result.err
    assert campaign.requests < PICTURES


async def test_a_result_that_cannot_be_kept_ends_the_run(stage, monkeypatch):
    campaign = await stage()
    failures = iter([LedgerFailure("disk full")])
    finish = Ledger.finish

    def fail_once(ledger, result, *news):
        written = finish(ledger, result, *news)
        for failure in failures:
            lost = asyncio.get_running_loop().create_future()
            lost.set_exception(failure)
            return lost
        return written

    monkeypatch.setattr(Ledger, "finish", fail_once)
    result = await campaign.run()
    assert result.code == 1
    assert "disk full" in result.err
    assert campaign.requests < PICTURES


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_finishes_what_is_in_flight_and_exits_75(stage, number):
    campaign = await stage(latency={"mean_ms": 100})
    process = await campaign.start()
    await until_requests(campaign, 4)
    process.send_signal(number)
    result = await ended(process)
    assert result.code == 75, result.err
    assert "run the same command again" in result.err.splitlines()[-1]
    assert "open" not in (await campaign.status())["attempts"]
    assert (await campaign.run()).code == 0
    assert campaign.requests == PICTURES


async def test_faults_and_broken_pictures_never_stop_the_run(stage):
    faults = [
        {"kind": "internal", "at": (1,)},
        {"kind": "dropped", "at": (2,)},
        {"kind": "safety", "at": (3,)},
        {"kind": "nonsense", "at": (4,)},
        {"kind": "max_tokens", "at": (5,)},
        {"kind": "fenced", "at": (6,)},
        {"kind": "numbered", "at": (7,)},
    ]
    campaign = await stage(fault=faults)
    pictures = sorted((campaign.catalog / "images" / "small").rglob("*.jpg"))
    pictures[10].write_bytes(b"broken")
    pictures[11].unlink()
    result = await campaign.run()
    assert result.code == 0, result.err
    status = await campaign.status()
    assert status["progress"] == {"pending": 0, "done": 9, "dead": 2, "total": 11}
    reasons = " | ".join(letter["reason"] for letter in status["dead_letters"])
    assert "SAFETY" in reasons
    assert "not a readable image" in reasons
    # What is not there is left out before anything is asked.
    assert "not in the images folder" in result.err
    assert (status["attempts"]["unavailable"], status["attempts"]["unanswered"]) == (1, 1)
    assert status["attempts"]["unusable"] == 2


async def test_every_kind_of_reply_has_its_rule_and_its_count(stage):
    kinds = ("safety", "recitation", "blocked_prompt", "max_tokens", "no_candidate", "nonsense")
    kinds += ("fenced", "numbered", "trailing_comma", "wrong_count")
    faults = [{"kind": kind, "at": (place,)} for place, kind in enumerate(kinds, start=1)]
    campaign = await stage(fault=faults)
    result = await campaign.run(concurrency=1)
    assert result.code == 0, result.err
    status = await campaign.status()
    # What is blocked stays blocked; all else is asked for again until it is there.
    assert status["progress"] == {"pending": 0, "done": 10, "dead": 2, "total": 12}
    blocked = "PROMPT_BLOCKED_PROHIBITED_CONTENT"
    replies = status["replies"]
    once = ("SAFETY", "RECITATION", "MAX_TOKENS", blocked, "no_candidate")
    assert replies["by_ending"] == {"STOP": 10} | dict.fromkeys(once, 1)
    once = ("fenced", "list", "repaired", "cut_off", "unparsable")
    assert replies["by_form"] == {"json": 6, "empty": 4} | dict.fromkeys(once, 1)
    assert replies["wrong_count"] == 2
    once = ("safety", "recitation", blocked.lower(), "no_candidate", "unparsable")
    assert replies["rejected"] == dict.fromkeys(once, 1)
    assert status["attempts"] == {"answered": 10, "unusable": 5}
    shown = (await campaign.command("status")).out
    for said in ("cut_off 1", "wrong count 2", "MAX_TOKENS 1", "no_candidate 1"):
        assert said in shown


async def test_the_limit_is_reached_once_however_often_it_is_asked_for(stage):
    campaign = await stage()
    for _ in range(2):
        result = await campaign.run(limit=5)
        assert result.code == 0, result.err
        assert campaign.requests == 5


async def test_new_listings_are_asked_about_and_only_those(stage):
    campaign = await stage()
    write_abo(campaign.catalog, PICTURES - 3)
    assert (await campaign.run()).code == 0
    assert campaign.requests == PICTURES - 3
    write_abo(campaign.catalog, PICTURES)
    assert (await campaign.run()).code == 0
    assert campaign.requests == PICTURES
    assert (await campaign.status())["progress"]["done"] == PICTURES


async def test_a_watched_catalogue_is_asked_about_as_it_grows(stage):
    campaign = await stage()
    write_abo(campaign.catalog, PICTURES - 3)
    running = asyncio.create_task(campaign.run(JumpingClock(), watch=True))
    await until_requests(campaign, PICTURES - 3)
    listings = campaign.catalog / "listings" / "metadata" / "listings_0.json.gz"
    listings.write_bytes(b"half a file")
    await asyncio.sleep(0.1)
    assert not running.done()
    write_abo(campaign.catalog, PICTURES)
    await until_requests(campaign, PICTURES)
    while len(campaign.pairs()) < 3 * PICTURES:  # noqa: ASYNC110 - only the file tells
        await asyncio.sleep(0.01)
    os.kill(os.getpid(), signal.SIGTERM)
    result = await running
    assert result.code == 75
    assert result.err.endswith("stopped by SIGTERM; run the same command again to go on")
    assert campaign.requests == PICTURES
    assert (await campaign.status())["progress"]["done"] == PICTURES


async def test_a_shuffled_watch_asks_in_drawn_order_and_about_new_listings_last(stage):
    campaign = await stage()
    write_abo(campaign.catalog, PICTURES - 4)
    running = asyncio.create_task(
        campaign.run(JumpingClock(), watch=True, shuffle=7, concurrency=1, limit=PICTURES)
    )
    await until_requests(campaign, PICTURES - 4)
    write_abo(campaign.catalog, PICTURES)
    assert (await running).code == 0
    with closing(sqlite3.connect(campaign.ledger)) as database:
        asked = database.execute(
            "SELECT image_path FROM attempts JOIN items ON items.id = item_id ORDER BY attempts.id"
        ).fetchall()
    paths = [path for (path,) in asked]
    first, added = set(paths[: PICTURES - 4]), set(paths[PICTURES - 4 :])
    drawn = [sorted(part, key=lambda path: draw(7, path)) for part in (first, added)]
    assert paths == [*drawn[0], *drawn[1]]
    assert paths != sorted(paths)


async def test_a_watch_ends_at_its_limit(stage):
    campaign = await stage()
    write_abo(campaign.catalog, 2)
    running = asyncio.create_task(campaign.run(JumpingClock(), watch=True, limit=4))
    await until_requests(campaign, 2)
    write_abo(campaign.catalog, PICTURES)
    assert (await running).code == 0
    assert campaign.requests == 4


async def test_dead_letters_return_to_the_queue_when_asked_to(stage):
    campaign = await stage()
    (picture, *_) = sorted((campaign.catalog / "images" / "small").rglob("*.jpg"))
    whole = picture.read_bytes()
    picture.write_bytes(b"broken")
    assert (await campaign.run()).code == 0
    assert len((await campaign.status())["dead_letters"]) == 1
    picture.write_bytes(whole)
    assert (await campaign.run()).code == 0
    assert campaign.requests == PICTURES - 1
    assert (await campaign.run(retry_dead=True)).code == 0
    assert campaign.requests == PICTURES
    status = await campaign.status()
    assert status["progress"] == {"pending": 0, "done": 12, "dead": 0, "total": 12}
    assert status["dead_letters"] == []


async def test_a_model_that_is_not_served_is_bad_input(stage):
    campaign = await stage(models=("gemini-3.5-flash-lite",))
    result = await campaign.run(model="gemini-9")
    assert result.code == 2
    assert "gemini-9" in result.err.splitlines()[-1]


def bad_run(tmp_path: Path, capsys, **changes: str) -> tuple[int, str]:
    options = {
        "--catalog": str(tmp_path / "abo"),
        "--keys": str(tmp_path / "keys.txt"),
        "--ledger": str(tmp_path / "new" / "l.db"),
    } | {f"--{name.replace('_', '-')}": value for name, value in changes.items()}
    with pytest.raises(SystemExit) as stopped:
        run_program(app, "curator", ["run", *(word for pair in options.items() for word in pair)])
    return stopped.value.code, capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"catalog": "{}/nowhere"}, "nowhere"),
        ({"catalog": "{}/broken"}, "listings_0.json.gz"),
        ({"catalog": "{}/empty"}, "no listing with an image"),
        ({"keys": "{}/no-keys.txt"}, "no-keys.txt"),
        ({"keys": "{}/abo"}, "--keys wants a file"),
        ({"images": "{}/no-images"}, "no-images"),
        ({"ledger": "{}/newer.db"}, "newer release"),
        ({"ledger": "{}/keys.txt"}, "not a ledger"),
        ({"base_url": "nonsense"}, "--endpoint"),
        ({"status": "0.0.0.0:8765"}, "127.0.0.1"),
        ({"status": "0.0.0.0:8765", "status_token": "guess-me"}, "at least 16"),
        ({"status": "8765"}, "HOST:PORT"),
    ],
)
def test_bad_input_is_one_line_with_exit_2_and_leaves_nothing(tmp_path, capsys, changes, named):
    write_abo(tmp_path / "abo", 2)
    (tmp_path / "keys.txt").write_text(KEYS[0])
    (tmp_path / "empty").mkdir()
    shutil.copytree(tmp_path / "abo", tmp_path / "broken")
    (tmp_path / "broken" / "listings" / "metadata" / "listings_0.json.gz").write_bytes(b"no gzip")
    migrate(tmp_path / "newer.db")
    with closing(sqlite3.connect(tmp_path / "newer.db")) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
        database.commit()
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    formatted = {name: value.format(tmp_path) for name, value in changes.items()}
    code, err = bad_run(tmp_path, capsys, **formatted)
    lines = [line for line in err.splitlines() if not line.startswith("reading the catalogue")]
    assert code == 2
    assert len(lines) == 1
    assert named in lines[0]
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("command", [["status"], ["export", "--out", "x.csv"]])
def test_status_and_export_of_no_ledger_are_bad_input(tmp_path, capsys, command):
    with pytest.raises(SystemExit) as stopped:
        run_program(app, "curator", [*command, "--ledger", str(tmp_path / "none.db")])
    assert stopped.value.code == 2
    assert "none.db: no such ledger" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_an_export_of_another_kind_is_bad_input(tmp_path, capsys):
    migrate(tmp_path / "l.db")
    for out, named in (("x.txt", ".parquet"), ("x.csv", "no pairs yet")):
        arguments = ["export", "--ledger", str(tmp_path / "l.db"), "--out", str(tmp_path / out)]
        with pytest.raises(SystemExit) as stopped:
            run_program(app, "curator", arguments)
        assert stopped.value.code == 2
        assert named in capsys.readouterr().err
        assert not (tmp_path / out).exists()


async def test_that_the_port_of_the_status_page_is_taken_is_told_before_the_catalogue_is_read(
    stage,
):
    campaign = await stage()
    table = campaign.folder / "goods.jsonl"
    table.write_text('{"id": "1", "image": "1.jpg"}\n' * 2_000 + "broken\n")
    with socket.create_server(("127.0.0.1", 0)) as other:
        place = f"127.0.0.1:{other.getsockname()[1]}"
        result = await campaign.run(catalog=table, images=campaign.folder, status=place)
    assert result.code == 2
    last = result.err.splitlines()[-1]
    assert last.startswith(f"curator: --status {place}: cannot listen there (another program")
    assert not campaign.ledger.exists()
