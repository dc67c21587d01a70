"""What replies tell of models is kept with each request, and counted."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace

from curator.ledger import Ledger, ModelReplies, migrate
from curator.ledger.database.upgrade import upgrade
from shared.endpoints.models.model_status import NO_STATUS, ModelStatus
from tests.curator.ledger.ledgers import answered, attempt, enrolled, tallied

ENDING = ModelStatus("DEPRECATED", 1_900_000_000.0)
LATER = ModelStatus("DEPRECATED", 1_950_000_000.0)
TOLD = (
    ("gemini-x", NO_STATUS),
    ("gemini-y", ENDING),
    ("gemini-y", ENDING),
    ("gemini-x-001", LATER),
    ("", NO_STATUS),
)


async def test_each_request_keeps_what_its_reply_tells_of_models(tmp_path, ledger):
    campaign_id = await enrolled(ledger, len(TOLD))
    for item, (version, status) in enumerate(TOLD, start=1):
        begun = attempt(ledger, campaign_id, item)
        await ledger.begin(begun)
        told = replace(answered(begun), model_version=version, model_status=status)
        await ledger.finish(told)
    (report,) = await ledger.reports(10.0)
    assert report.replies_by_model == (
        ModelReplies("gemini-x", "gemini-x", NO_STATUS, 1, 1),
        ModelReplies("gemini-x", "gemini-x-001", LATER, 1, 4),
        ModelReplies("gemini-x", "gemini-y", ENDING, 2, 3),
    )
    assert report.replies_of_others == 2
    # The date has moved: the latest reply counts.
    assert report.told_end("gemini-x") == LATER.retires_at
    assert report.told_end("gemini-y") is None
    tallied(tmp_path / "l.db")
    with closing(sqlite3.connect(tmp_path / "l.db")) as database:
        rows = database.execute(
            "SELECT model_version, model_stage, retires_at FROM attempts ORDER BY id"
        ).fetchall()
    assert rows == [(version, status.stage, status.retires_at) for version, status in TOLD]


async def test_the_replies_of_an_older_ledger_are_counted_when_it_is_brought_up_to_date(tmp_path):
    path = tmp_path / "l.db"
    upgrade(path, "0012")
    with closing(sqlite3.connect(path)) as database:
        database.execute("INSERT INTO campaigns VALUES (1, 'gemini', 'm', '1-a', 3, 1.0, NULL)")
        for number, version in ((1, "m"), (2, "n"), (3, "n"), (4, "")):
            database.execute(
                "INSERT INTO attempts (id, campaign_id, item_id, key_fingerprint, project, model, "
                "started_at, reserved_tokens, finished_at, outcome, detail, input_tokens, "
                "output_tokens, thought_tokens, model_version) "
                "VALUES (?, 1, 1, 'fp', 'p', 'm', 1.0, 9, 2.0, 'answered', 'STOP', 9, 9, 0, ?)",
                (number, version),
            )
        database.commit()
    migrate(path)
    assert (tmp_path / "l.db.0012.backup").exists()
    tallied(path)
    async with Ledger.opened(path) as ledger:
        (report,) = await ledger.reports(10.0)
    counts = [(told.answered_by, told.count, told.latest) for told in report.replies_by_model]
    assert counts == [("m", 1, 1), ("n", 2, 3)]
    assert report.replies_of_others == 2
