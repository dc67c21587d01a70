"""What is remembered of keys and projects."""

from __future__ import annotations

from curator.ledger import (
    FormNews,
    KeyRemoval,
    Outcome,
    ProjectNews,
    Result,
)
from shared.endpoints.keys.key import Key
from shared.endpoints.keys.quota import LEARNED_FOR_S, LearnedLimit, Quota, Window
from shared.endpoints.pool.records import ProjectRecord
from tests.curator.ledger.ledgers import (
    attempt,
    enrolled,
)


async def test_projects_and_keys_are_remembered(ledger):
    learned = {"rpm": LearnedLimit(3, stated=9, at=1.0)}
    record = ProjectRecord("p", "gemini-x", 99.0, Window.DAY, 50.0, learned)
    key = Key("mine", "p", "AIzaSecret", Quota(rpm=9, rpd=20))
    campaign_id = await enrolled(ledger, 1)
    await ledger.remember_keys([key], 1.0)
    begun = attempt(ledger, campaign_id, 1)
    await ledger.begin(begun)
    removal = KeyRemoval(key.fingerprint, "API_KEY_INVALID", 2.0)
    refused = Result(begun.attempt_id, 2.0, Outcome.RATE_LIMITED)
    await ledger.finish(refused, ProjectNews(record, 2.0), removal)
    assert await ledger.project_records(["another", "gemini-x"]) == {record.meter: record}
    assert await ledger.project_records(["another"]) == {}
    (report,) = await ledger.reports(10.0)
    assert [(key_report.label, key_report.removed_because) for key_report in report.keys] == [
        ("mine", "API_KEY_INVALID")
    ]
    assert [record.project for record in report.blocked] == ["p"]
    # What Google taught counts where it is less than what was stated.
    assert [use.quota for key in report.keys for use in key.uses] == [Quota(rpm=3, rpd=20)]


async def test_the_form_that_a_model_refused_is_remembered_for_a_week(ledger):
    for form in ("json_object", "text"):
        await ledger.remember(FormNews("openai", "llava", form, 1.0))
    assert await ledger.model_forms("openai", 2.0) == {"llava": "text"}
    assert await ledger.model_forms("gemini", 2.0) == {}
    assert await ledger.model_forms("openai", 1.0 + LEARNED_FOR_S) == {}


async def test_only_the_keys_of_the_last_run_are_in_service(ledger):
    await enrolled(ledger, 1)
    old, new = Key("old", "p", "AIzaSecretOld"), Key("new", "p", "AIzaSecretNew")
    await ledger.remember_keys([old], 1.0)
    await ledger.remember_keys([new], 2.0)
    (report,) = await ledger.reports(10.0)
    assert [(key_report.label, key_report.removed_because) for key_report in report.keys] == [
        ("new", ""),
        ("old", "not among the keys of the last run"),
    ]
    await ledger.remember_keys([old, new], 3.0)
    (report,) = await ledger.reports(10.0)
    assert [key_report.removed_because for key_report in report.keys] == ["", ""]
