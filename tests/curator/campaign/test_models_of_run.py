"""A run that asks several models: in order, each within its own quota, and nothing twice."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest

from tests.curator.campaigns import KEYS, PICTURES, Campaign

FIRST, SECOND = MODELS = ("gemini-3.6-flash", "gemini-3.5-flash-lite")


def asked(campaign: Campaign, where: str = "1") -> dict[str, int]:
    """Return the requests by model."""
    with closing(sqlite3.connect(campaign.ledger)) as database:
        statement = f"SELECT model, count(*) FROM attempts WHERE {where} GROUP BY model"
        return dict(database.execute(statement))


def logged(campaign: Campaign) -> list[dict]:
    lines = (campaign.folder / "campaign.db.log.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def projects(**quota: int) -> dict[str, list[dict]]:
    names = [f"p{number}" for number in range(len(KEYS))]
    return {
        "project": [{"name": name, **quota} for name in names],
        "key": [{"api_key": key, "project": name} for key, name in zip(KEYS, names, strict=True)],
    }


async def test_what_one_model_has_no_quota_for_another_is_asked(stage):
    campaign = await stage(**projects(rpd=2))
    alone = await campaign.run(models=[FIRST])
    assert alone.code == 75
    assert len(campaign.pairs()) == 3 * 6
    both = await campaign.run(models=MODELS)
    assert both.code == 0
    status = await campaign.status()
    assert status["models"] == list(MODELS)
    assert status["pairs_by_model"] == {FIRST: 18, SECOND: 18}
    assert asked(campaign, "outcome = 'answered'") == {FIRST: 6, SECOND: 6}
    outcomes = status["attempts_by_model"]
    assert (outcomes[FIRST]["answered"], outcomes[SECOND]["answered"]) == (6, 6)
    quotas = {(quota["project"], quota["model"]): quota for quota in status["quotas"]}
    assert len(quotas) == len(KEYS) * 2
    assert {quota["requests_today"] for quota in quotas.values() if quota["model"] == SECOND} == {2}


async def test_the_first_model_is_asked_as_long_as_it_serves(stage):
    campaign = await stage()
    assert (await campaign.run(models=MODELS)).code == 0
    assert asked(campaign) == {FIRST: PICTURES}


async def test_a_model_that_one_project_may_not_use_goes_on_with_the_others(stage):
    campaign = await stage(model=[{"name": FIRST, "closed_to": ["p0", "p1"]}], **projects())
    ended = await campaign.run(models=MODELS)
    assert ended.code == 0, ended.err
    events = logged(campaign)
    assert [
        event["model"] for event in events if event["event"] == "project_may_not_use_model"
    ] == [
        FIRST,
        FIRST,
    ]
    assert not any("removing from pool" in event["event"] for event in events)
    # A look told so before the first request, and no request asked once more.
    assert asked(campaign, "outcome = 'not_served'") == {}
    assert FIRST not in asked(campaign, "project IN ('p0', 'p1')")
    status = await campaign.status()
    assert status["progress"]["done"] == PICTURES
    assert [key["state"] for key in status["keys"]] == ["ready"] * 3
    refused = {quota["model"] for quota in status["quotas"] if quota["refused_because"]}
    assert refused == {FIRST}
    shown = (await campaign.command("status")).out
    assert "not served: " in shown
    assert f"{FIRST}, {SECOND} through gemini" in " ".join(shown.split())


async def test_a_model_that_is_lost_in_mid_run_costs_nothing_but_its_refusals(stage):
    campaign = await stage(model=[{"name": FIRST, "valid_for": 5}], **projects())
    ended = await campaign.run(models=MODELS)
    assert ended.code == 0, ended.err
    assert asked(campaign, "outcome = 'answered'") == {FIRST: 5, SECOND: PICTURES - 5}
    assert asked(campaign, "outcome = 'not_served'")[FIRST] <= len(KEYS) + 1
    assert (await campaign.status())["progress"]["done"] == PICTURES
    # One line for each project, and one that says that it is the last.
    events = [
        event
        for event in logged(campaign)
        if event["event"].endswith("may_not_use_model")
        or event["event"] == "no_project_may_use_model"
    ]
    assert [event["event"] for event in events] == [
        *["project_may_not_use_model"] * len(KEYS),
        "no_project_may_use_model",
    ]
    assert (events[-1]["model"], events[-1]["goes_on"]) == (FIRST, SECOND)


async def test_a_run_ends_with_bad_input_only_where_no_model_is_served(stage):
    campaign = await stage(models=["gemini-x"])
    ended = await campaign.run(models=["gemini-3.5-flash-light", "models/gemini-y"])
    assert ended.code == 2
    assert "no key may use any of these models" in ended.err
    last = ended.err.splitlines()[-1]
    assert "; the nearest known: gemini-3.5-flash-lite" in last
    assert campaign.requests == 0
    assert list(campaign.folder.iterdir()) == [campaign.folder / "keys.txt"]
    # One that the service knows is asked, listed or not.
    assert (await campaign.run(models=["gemini-y", "gemini-x"])).code == 0
    assert asked(campaign, "outcome = 'answered'") == {"gemini-x": PICTURES}


KEY_TABLES = "\n".join(
    f"[[key]]\nlabel = 'k{number}'\napi_key = '{key}'\nrpd = 3" for number, key in enumerate(KEYS)
)


async def test_models_of_the_keys_file_are_asked_in_order_within_limits_of_their_own(stage):
    campaign = await stage()
    keys = campaign.folder / "keys.toml"
    keys.write_text(
        f"{KEY_TABLES}\n[[model]]\nname = 'models/{FIRST}'\nrpd = 1\n[[model]]\nname = '{SECOND}'"
    )
    ended = await campaign.run(keys=keys, models=[])
    assert ended.code == 0, ended.err
    assert asked(campaign) == {FIRST: 3, SECOND: 9}
    limits = {
        quota["model"]: quota["limits"]["rpd"] for quota in (await campaign.status())["quotas"]
    }
    assert limits == {FIRST: 1, SECOND: 3}


async def test_the_command_line_says_which_models_and_the_keys_file_their_limits(stage):
    campaign = await stage()
    keys = campaign.folder / "keys.toml"
    keys.write_text(f"{KEY_TABLES}\n[[model]]\nname = '{FIRST}'\nrpd = 1")
    ended = await campaign.run(keys=keys, models=[SECOND, FIRST])
    assert ended.code == 0, ended.err
    assert asked(campaign) == {SECOND: 9, FIRST: 3}


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ("name = 'a'\nrpd = 0", "model.0.rpd: must be greater"),
        ("rpd = 1", "model.0.name: has to be given"),
        ("name = 'a'\n[[model]]\nname = 'a'", "two [[model]] tables are named 'a'"),
        ("name = 'a'\ntpm = 10", "model 'a': tpm = 10 is less than one request needs"),
    ],
)
async def test_a_model_table_that_makes_no_sense_is_bad_input(stage, table, told):
    campaign = await stage()
    keys = campaign.folder / "keys.toml"
    keys.write_text(f"{KEY_TABLES}\n[[model]]\n{table}")
    ended = await campaign.command(
        "run", "--catalog", str(campaign.catalog), "--keys", str(keys), "--endpoint", campaign.url
    )
    assert (ended.code, told in ended.err) == (2, True), ended.err
    assert campaign.requests == 0


async def test_a_second_opinion_is_asked_of_another_model(stage):
    campaign = await stage()
    assert (await campaign.run(models=MODELS, verify=0.3)).code == 0
    opinions = asked(campaign, "question IS NOT NULL")
    assert set(opinions) == {SECOND}
    assert opinions[SECOND] > 0
    assert asked(campaign, "question IS NULL") == {FIRST: PICTURES}


async def test_a_second_opinion_comes_from_the_same_model_where_it_is_alone(stage):
    campaign = await stage()
    assert (await campaign.run(models=[FIRST], verify=0.3)).code == 0
    assert set(asked(campaign, "question IS NOT NULL")) == {FIRST}


PLAIN = {"name": "gemma-9-it", "json_mode": False}


async def test_a_model_without_json_mode_is_asked_plainly_once_it_said_so(stage):
    campaign = await stage(model=[PLAIN])
    assert (await campaign.run(models=["gemma-9-it"], limit=4)).code == 0
    refused = asked(campaign, "outcome = 'bad_request'")["gemma-9-it"]
    # One for each request that was under way by then.
    assert 1 <= refused <= 2
    assert (await campaign.run(models=["gemma-9-it"])).code == 0
    # Remembered: the second run asked plainly from the start.
    assert campaign.requests == refused + PICTURES
    status = await campaign.status()
    assert (status["progress"]["done"], status["progress"]["dead"]) == (PICTURES, 0)
    assert status["pairs"] == 3 * PICTURES
    told = next(event for event in logged(campaign) if event["event"] == "model_takes_no_such_form")
    assert (told["model"], told["asked_in"]) == ("gemma-9-it", "text")


async def test_a_model_that_is_known_to_take_no_json_is_never_asked_for_it(stage):
    campaign = await stage(model=[PLAIN | {"name": "gemma-3-27b-it"}])
    assert (await campaign.run(models=["gemma-3-27b-it"])).code == 0
    assert campaign.requests == PICTURES


async def test_a_form_that_one_model_refuses_is_asked_of_the_other_all_the_same(stage):
    campaign = await stage(model=[PLAIN, {"name": SECOND}], **projects(rpd=3))
    keys = campaign.folder / "keys.toml"
    keys.write_text(KEY_TABLES)
    ended = await campaign.run(models=["gemma-9-it", SECOND], keys=keys)
    assert ended.code == 0, ended.err
    # Three refusals at most, one by each project's first request, and none over a quota.
    refused = asked(campaign, "outcome = 'bad_request'")["gemma-9-it"]
    assert 1 <= refused <= 3
    assert asked(campaign, "outcome = 'rate_limited'") == {}
    assert (await campaign.status())["progress"]["done"] == PICTURES


async def test_the_log_and_the_manifest_name_the_model(stage):
    campaign = await stage(**projects(rpd=2))
    assert (await campaign.run(models=MODELS)).code == 0
    replies = [event for event in logged(campaign) if event["event"] == "reply"]
    assert {one["model"] for one in replies} == set(MODELS)
    folder = campaign.folder / "dataset"
    assert (await campaign.command("export", "--out", str(folder))).code == 0
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["pairs_by_model"] == {FIRST: 18, SECOND: 18}


async def test_an_export_may_hold_the_pairs_of_one_model_alone(stage):
    campaign = await stage(**projects(rpd=2))
    assert (await campaign.run(models=MODELS)).code == 0
    folder, file = campaign.folder / "dataset", campaign.folder / "pairs.csv"
    told = await campaign.command("export", "--out", str(folder), "--model", SECOND)
    assert told.code == 0
    assert f"left out: 18 pairs of other models ({FIRST} 18)" in told.out
    manifest = json.loads((folder / "manifest.json").read_text())
    assert (manifest["pairs_by_model"], manifest["source"]["models"]) == ({SECOND: 18}, [SECOND])
    assert (await campaign.command("export", "--out", str(file), "--model", FIRST)).code == 0
    assert len(file.read_text().splitlines()) == 1 + 18
    both = [word for model in MODELS for word in ("--model", model)]
    told = await campaign.command("export", "--out", str(file), *both)
    assert told.out == f"36 pairs in {file}\n"
    wrong = await campaign.command("export", "--out", str(file), "--model", "gemini-z")
    assert wrong.code == 2
    assert f"has no pairs of it; there are {SECOND} 18, {FIRST} 18" in wrong.err


async def test_an_export_by_the_model_that_was_asked_has_what_another_answered(stage):
    campaign = await stage(model=[{"name": FIRST, "answers_as": "gemini-heir"}])
    assert (await campaign.run(models=[FIRST])).code == 0
    out = campaign.folder / "pairs.csv"
    for name in (FIRST, "gemini-heir"):
        told = await campaign.command("export", "--out", str(out), "--model", name)
        assert told.out == f"36 pairs in {out}\n"
