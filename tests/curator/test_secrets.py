"""No key and no token is in anything that a run writes, shows or sends to a browser."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import os
import re
import signal
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from urllib.parse import quote, quote_plus

import aiohttp
import pytest
import structlog

from curator.ledger.database.coding import unpack_reply
from shared.endpoints.keys.keyfile import read_keys
from shared.endpoints.keys.variables import KEYS_VARIABLE
from shared.program.reporting.events import set_up_events
from shared.program.reporting.secret_mask import SecretMask
from tests.curator.campaigns import until_requests

# With every character that is written otherwise in an address or in base64.
KEYS = {
    "valid": "AIzaSy+Valid/Key~Number%0001~?",
    "suspended": "AIzaSy+Suspended/Key~%0002~?",
    "leaked": "AIzaSy+Leaked/Key~%0003~?",
    "invalid": "AIzaSy+Invalid/Key~%0004~?",
}
TOKEN = "status-token/+=%of-the-page"
NOISY = ("google_genai", "google", "aiohttp", "aiosqlite", "asyncio", "sqlalchemy", "httpx")


def forms(secret: str) -> set[bytes]:
    content = secret.encode()
    coded = {base64.b64encode(content), base64.urlsafe_b64encode(content), content.hex().encode()}
    quoted = {quote(secret).encode(), quote(secret, safe="").encode(), quote_plus(secret).encode()}
    return {content, *quoted, *(one.rstrip(b"=") for one in coded)}


def leaks(*texts: bytes | str) -> list[str]:
    found = []
    for secret in (*KEYS.values(), TOKEN):
        for text in texts:
            written = text.encode() if isinstance(text, str) else text
            found += [secret for form in forms(secret) if form in written]
    return found


def test_the_search_finds_every_form():
    for secret in KEYS.values():
        assert all(leaks(b"<" + form + b">") for form in forms(secret))
    assert leaks("nothing here") == []


@pytest.fixture
def _noise():
    """Every library says all it has to say; the log takes it down."""
    loggers = [logging.getLogger(name) for name in NOISY]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    yield
    for logger, level in zip(loggers, before, strict=True):
        logger.setLevel(level)


async def until_url(campaign) -> str:
    log = campaign.ledger.with_name(f"{campaign.ledger.name}.log.jsonl")
    async with asyncio.timeout(60):
        while True:
            lines = log.read_text().splitlines() if log.exists() else []
            for line in lines:
                if "status_page" in line:
                    return json.loads(line)["url"]
            await asyncio.sleep(0.01)


async def shown_by(url: str) -> list[str]:
    told = []
    async with aiohttp.ClientSession(url) as session:
        for path in ("", "api/status", "login", "nowhere"):
            async with session.get(path) as answer:
                told += [await answer.text(), str(answer.headers)]
        async with session.post("login", data={"token": TOKEN}, allow_redirects=False) as answer:
            told += [await answer.text(), str(answer.headers)]
        headers = {"Authorization": f"Bearer {TOKEN}"}
        for path in ("", "page.js", "api/status", "api/history", "api/newest", "metrics"):
            async with session.get(path, headers=headers) as answer:
                assert answer.status == 200
                told += [await answer.text(), str(answer.headers)]
    return told


@pytest.mark.usefixtures("_noise")
async def test_no_secret_is_in_anything_that_was_written(stage, capsys, monkeypatch):
    states = [{"api_key": key, "state": state, "valid_for": 1} for state, key in KEYS.items()]
    campaign = await stage(key=states, fault=[{"kind": "overloaded", "at": (9,)}])
    (campaign.folder / "keys.txt").unlink()
    monkeypatch.setenv(KEYS_VARIABLE, ",".join(KEYS.values()))
    running = asyncio.create_task(
        campaign.run(keys=None, watch=True, status="127.0.0.1:0", status_token=TOKEN)
    )
    url = await until_url(campaign)
    await until_requests(campaign, 12)
    while len(campaign.pairs()) < 36:  # noqa: ASYNC110 - only the file tells
        await asyncio.sleep(0.01)
    told = await shown_by(url)
    written = {
        path.name: path.read_bytes() for path in campaign.folder.rglob("*") if path.is_file()
    }
    assert {"campaign.db", "campaign.db-wal", "campaign.db.log.jsonl"} <= written.keys()
    os.kill(os.getpid(), signal.SIGTERM)
    result = await running
    assert result.code == 75, result.err
    # The keys were used, refused, and spoken about.
    assert len([line for line in result.err.splitlines() if "removing from pool" in line]) == 3
    assert "CONSUMER_SUSPENDED" in result.err

    for command in (
        ("status",), ("status", "--json"), ("reparse",),
        ("export", "--out", str(campaign.folder / "qa.csv")),
        ("export", "--out", str(campaign.folder / "data")),
    ):  # fmt: skip
        ended = await campaign.command(*command)
        assert ended.code == 0, ended.err
        told += [ended.out, ended.err]
    told.append(json.dumps(campaign.server.stats()))
    with closing(sqlite3.connect(campaign.ledger)) as database:
        bodies = database.execute("SELECT body FROM replies").fetchall()
    assert len(bodies) == 12
    told += [unpack_reply(body) for (body,) in bodies]
    after = [path.read_bytes() for path in campaign.folder.rglob("*") if path.is_file()]
    assert leaks(result.out, result.err, *told, *written.values(), *after) == []
    # They would have been found: the log did take down what the libraries said.
    loggers = set(re.findall(rb'"logger":"(\w+)', written["campaign.db.log.jsonl"]))
    assert loggers & {name.encode() for name in NOISY}, loggers


def test_the_traceback_of_a_bug_is_masked(tmp_path: Path, capsys):
    log = tmp_path / "log.jsonl"
    set_up_events(mask=SecretMask(KEYS.values()), json_file=log, level=logging.DEBUG)
    secret = KEYS["valid"]
    try:
        try:
            raise KeyError(secret)  # noqa: TRY301 - the cause
        except KeyError as cause:
            raise RuntimeError(f"?key={quote(secret, safe='')} {secret}") from cause
    except RuntimeError as error:
        structlog.stdlib.get_logger("curator.test").debug("seen", exc_info=error)
        sys.excepthook(type(error), error, error.__traceback__)
    shown = capsys.readouterr().err
    assert "RuntimeError: ?key=[secret] [secret]" in shown
    assert "KeyError" in shown
    written = log.read_bytes()
    assert b"seen" in written
    assert leaks(shown, written) == []


def test_a_fingerprint_is_short_and_no_part_of_its_key():
    keys = read_keys(None, {KEYS_VARIABLE: ",".join(KEYS.values())})
    assert len({key.fingerprint for key in keys}) == len(KEYS)
    for key in keys:
        assert len(key.fingerprint) == 16
        assert leaks(repr(key), key.fingerprint, key.label, key.project) == []
