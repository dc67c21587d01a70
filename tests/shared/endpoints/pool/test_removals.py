"""A key that failed for good costs one request in all, not one a start."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime

import pytest

from curator.ledger import migrate
from curator.ledger.database.upgrade import upgrade
from tests.curator.campaigns import KEYS, PICTURES

# The first fails at a look, before any request; the others after one that was answered.
DEAD = [{"api_key": KEYS[1], "state": "leaked"}]
DYING = [
    {"api_key": KEYS[1], "state": "leaked", "valid_for": 1},
    {"api_key": KEYS[2], "state": "suspended", "valid_for": 1},
]


def toml(*tables: str) -> str:
    return "\n".join(f"[[key]]\n{table}" for table in tables)


async def requests_by_label(campaign) -> dict[str, int]:
    return {
        key["label"]: sum(key["outcomes"].values()) for key in (await campaign.status())["keys"]
    }


async def test_dead_keys_are_asked_once_over_three_starts(stage, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    campaign = await stage(key=DYING)
    for limit in (4, 8, PICTURES):
        result = await campaign.run(limit=limit, concurrency=1)
        assert result.code == 0, result.err
    asked_of = await requests_by_label(campaign)
    assert (asked_of["key-2"], asked_of["key-3"]) == (2, 2)
    assert campaign.requests == PICTURES + 2
    today = f"{datetime.now(UTC).astimezone():%Y-%m-%d}"
    stay_out = [line for line in result.err.splitlines() if "key_stays_out" in line]
    (line,) = [line for line in stay_out if "key=key-2" in line]
    assert f"removed_on='{today} " in line
    assert "--retry-keys" in line
    (key,) = [one for one in (await campaign.status())["keys"] if one["label"] == "key-2"]
    assert key["state"] == "removed"
    assert abs(key["removed_at"] - datetime.now(UTC).timestamp()) < 600
    shown = await campaign.command("status")
    assert f"removed on {today}" in shown.out


async def test_a_line_at_another_place_is_the_same_and_another_key_in_it_serves(stage):
    campaign = await stage(*KEYS[:2], key=DEAD)
    assert (await campaign.run(limit=4, concurrency=1)).code == 0
    # The dead key stands first now, so that its number is another one.
    (campaign.folder / "keys.txt").write_text("\n".join([KEYS[1], KEYS[0], "AIzaSyAnotherKey0004"]))
    result = await campaign.run(concurrency=1)
    assert (result.code, campaign.requests) == (0, PICTURES)
    assert "key_stays_out" in result.err
    assert "key=key-1" in result.err


async def test_where_all_are_removed_nothing_is_sent_until_they_are_retried_or_changed(stage):
    campaign = await stage(*KEYS[1:], key=DYING)
    assert (await campaign.run(concurrency=1)).code == 75
    assert campaign.requests == 4
    for _ in range(2):
        again = await campaign.run()
        assert again.code == 2
        assert "Key key-1 was removed on" in again.err
        assert "--retry-keys" in again.err
    assert campaign.requests == 4
    assert (await campaign.run(retry_keys=True, concurrency=1)).code == 75
    assert campaign.requests == 6
    assert (await campaign.run()).code == 2
    keys = toml(f'api_key = "{KEYS[1]}"\nlabel = "mine"', f'api_key = "{KEYS[0]}"')
    (campaign.folder / "keys.toml").write_text(keys)
    result = await campaign.run(keys=campaign.folder / "keys.toml", concurrency=1)
    # Its line reads otherwise now: someone looked at it.
    assert (result.code, campaign.requests) == (0, 6 + 1 + PICTURES - 2)


async def test_a_key_that_is_retried_and_works_is_in_service_again(stage):
    campaign = await stage()
    assert (await campaign.run(limit=3)).code == 0
    with closing(sqlite3.connect(campaign.ledger)) as database:
        database.execute("UPDATE keys SET removed_because = 'gone' WHERE label = 'key-2'")
        database.commit()
    # No server said so of the key: it only brought nothing.
    assert "key_stays_out" not in (await campaign.run(limit=4)).err
    with closing(sqlite3.connect(campaign.ledger)) as database:
        database.execute(
            "UPDATE keys SET removed_because = 'gone', failed_for_good = 1 WHERE label = 'key-2'"
        )
        database.commit()
    assert "key=key-2" in (await campaign.run(limit=6)).err
    assert "key_stays_out" not in (await campaign.run(limit=9, retry_keys=True)).err
    result = await campaign.run()
    assert "key_stays_out" not in result.err
    assert {key["state"] for key in (await campaign.status())["keys"]} == {"ready"}


@pytest.mark.parametrize(
    ("reason", "kept"),
    [("FAILED_PRECONDITION", ""), ("not among the keys of the last run",) * 2],
)
def test_what_a_former_release_removed_is_tried_once_more(tmp_path, reason, kept):
    path = tmp_path / "l.db"
    upgrade(path, "0008")
    with closing(sqlite3.connect(path)) as database:
        row = ("fp", "key-1", "p", reason, 1.0)
        database.execute(
            "INSERT INTO keys (fingerprint, label, project, removed_because, updated_at) "
            "VALUES (?, ?, ?, ?, ?)",
            row,
        )
        database.commit()
        migrate(path)
        assert database.execute("SELECT removed_because FROM keys").fetchall() == [(kept,)]


@pytest.mark.parametrize(("outcome", "is_for_good"), [("invalid_key", 1), ("bad_request", 0)])
def test_what_a_service_refused_before_is_still_known(tmp_path, outcome, is_for_good):
    path = tmp_path / "l.db"
    upgrade(path, "0013")
    with closing(sqlite3.connect(path)) as database:
        database.execute(
            "INSERT INTO keys (fingerprint, label, project, removed_because, updated_at) "
            "VALUES ('fp', 'key-1', 'p', 'leaked', 1.0)"
        )
        database.execute(
            "INSERT INTO attempts (id, campaign_id, item_id, key_fingerprint, project, model, "
            "started_at, reserved_tokens, finished_at, outcome, detail, input_tokens, "
            "output_tokens, thought_tokens) "
            "VALUES (1, 1, 1, 'fp', 'p', 'm', 1.0, 9, 2.0, ?, 'leaked', 0, 0, 0)",
            (outcome,),
        )
        database.commit()
        migrate(path)
        rows = database.execute("SELECT removed_because, failed_for_good FROM keys").fetchall()
    assert rows == [("leaked", is_for_good)]
