"""Reports are right, and quick however much a ledger holds."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from curator.ledger.database.plain import reading
from curator.ledger.reports.campaigns import campaign_reports
from curator.ledger.reports.course import history
from curator.ledger.reports.forecasting import memory
from shared.endpoints.keys.key import Key
from tests.curator.ledger.ledgers import (
    answered,
    attempt,
    enrolled,
)


async def test_reports_go_through_no_table_that_grows_with_the_catalogue(tmp_path, ledger):
    campaign_id = await enrolled(ledger, 3)
    await ledger.remember_keys([Key("mine", "p", "AIzaSecret")], 1.0)
    begun = attempt(ledger, campaign_id, 1)
    await ledger.begin(begun)
    await ledger.finish(answered(begun))
    asked: list[str] = []
    with reading(tmp_path / "l.db") as connection:
        connection.set_trace_callback(asked.append)
        (report,) = campaign_reports(connection, 10.0)
        memory(connection, report, 10.0)
        history(connection, campaign_id, 10.0)
        connection.set_trace_callback(None)
        plans = [list(connection.execute(f"EXPLAIN QUERY PLAN {statement}")) for statement in asked]
    steps = [step for plan in plans for *_, step in plan]
    large = {"attempts", "items", "pairs", "rejected_pairs", "second_opinions", "work"}
    read = {word for step in steps for word in step.split()[1:2]}
    assert {"attempts", "items", "work", "work_tallies", "opinion_tallies"} <= read
    assert [step for step in steps if "SCAN" in step and step.split()[1] in large] == []


async def test_the_rate_of_late_is_that_of_the_latest_where_there_are_very_many(tmp_path, ledger):
    campaign_id = await enrolled(ledger, 1)
    with closing(sqlite3.connect(tmp_path / "l.db")) as database:
        database.executemany(
            "INSERT INTO attempts (campaign_id, item_id, key_fingerprint, project, model,"
            " started_at, reserved_tokens, finished_at, outcome, detail, input_tokens,"
            " output_tokens, thought_tokens) VALUES (?, 1, 'fp', 'p', 'm', ?, 9, ?, 'answered',"
            " '', 9, 9, 0)",
            # A hundred a second lately, and one a second before.
            [(campaign_id, at - 2.0, at) for at in (900 + n / 100 for n in range(10_000))]
            + [(campaign_id, at - 2.0, at) for at in (800.0 + n for n in range(100))],
        )
        database.commit()
    (report,) = await ledger.reports(1_000.0)
    assert report.finished_recently / report.recent_s == pytest.approx(100, rel=0.01)
    (report,) = await ledger.reports(1_195.0)
    assert (report.finished_recently, report.recent_s) == (5_000, pytest.approx(245.0, abs=0.1))
    (report,) = await ledger.reports(1_299.505)
    assert (report.finished_recently, report.recent_s) == (49, pytest.approx(302.0, abs=0.1))
