"""``curator keys`` against the rehearsal over HTTP: what it tells, how it ends, what it costs."""

from __future__ import annotations

import asyncio
import json
import re
import signal
from datetime import UTC, datetime

import pytest

from curator.__main__ import app
from curator.ledger.database.opening import migrate
from shared.program.cli import run_program
from tests.curator.campaigns import Campaign, Ended, ended, start_process
from tests.fakes.openai_server import OpenAIServer
from tests.fakes.service_account import write_service_account

AUTH = "AQ.Ab8RN6KeyOfTheNewKind0001"
GOOD = "AIzaSyKeyNumberOne001"
LEAKED = "AIzaSyKeyThatLeaked002"
LATE = "AIzaSyKeyOfLateProject3"
SECRETS = (AUTH, GOOD, LEAKED, LATE)
OLD_MODEL = "gemini-2.5-flash"
END = datetime(2031, 12, 1, tzinfo=UTC)


async def check(campaign: Campaign, *arguments: str) -> Ended:
    """Run ``curator keys`` in this process, beside the server."""

    def finish() -> int:
        with pytest.raises(SystemExit) as ended:
            run_program(app, "curator", ["keys", "--endpoint", campaign.url, *arguments])
        return ended.value.code

    campaign.capsys.readouterr()
    code = await asyncio.to_thread(finish)
    ended = Ended(code, *campaign.capsys.readouterr())
    assert not any(secret in ended.out + ended.err for secret in SECRETS)
    return ended


@pytest.fixture
async def campaign(stage):
    """Four keys of three projects, one leaked, one too new for the old model."""
    keys = {
        "fresh": (AUTH, "p-auth"),
        "good": (GOOD, "p-old"),
        "lost": (LEAKED, "p-old"),
        "late": (LATE, "p-late"),
    }
    tables = [
        {"label": label, "api_key": secret, "project": project}
        for label, (secret, project) in keys.items()
    ]
    tables[2]["state"] = "leaked"
    campaign = await stage(
        project=[{"name": name} for name in ("p-auth", "p-old", "p-late")],
        key=tables,
        accept_unlisted_keys=False,
        model=[
            {"name": OLD_MODEL, "stage": "DEPRECATED", "retires": END, "closed_to": ["p-late"]},
            {"name": "gemini-3.8-flash"},
        ],
        models=["gemini-3.5-flash-lite"],
    )
    lines = [
        f'[[key]]\nlabel = "{label}"\nproject = "{project}"\napi_key = "{secret}"\n'
        + ("rpm = 10\nrpd = 250\n" if project == "p-old" else "")
        for label, (secret, project) in keys.items()
    ]
    (campaign.folder / "keys.toml").write_text("\n".join(lines))
    return campaign


def keys_file(campaign: Campaign) -> tuple[str, str]:
    return "--keys", str(campaign.folder / "keys.toml")


async def test_each_key_and_model_is_told_with_its_kind_its_end_and_its_limits(campaign):
    ended = await check(
        campaign,
        *keys_file(campaign),
        "--json",
        "--model",
        OLD_MODEL,
        "--model",
        "gemini-3.8-flash",
    )
    assert ended.code == 1
    told = json.loads(ended.out)
    assert told["counts"] == {
        "usable": 5, "invalid key": 2, "project refused": 0, "model refused": 1, "not known": 0,
    }  # fmt: skip
    found = {(entry["label"], entry["model"]): entry for entry in told["keys"]}
    assert list(found) == [
        (label, model)
        for label in ("fresh", "good", "lost", "late")
        for model in (OLD_MODEL, "gemini-3.8-flash")
    ]
    good = found["good", OLD_MODEL]
    assert (good["kind"], good["project"], good["state"]) == ("standard", "p-old", "usable")
    assert (good["stage"], good["retires_at"]) == ("DEPRECATED", END.timestamp())
    assert (good["retirement_said_by"], good["followed_by"]) == (
        "the service", "gemini-3.5-flash-lite",
    )  # fmt: skip
    assert good["limits"] == {"rpm": 10, "tpm": None, "rpd": 250}
    assert found["fresh", OLD_MODEL]["kind"] == "auth"
    lost = found["lost", "gemini-3.8-flash"]
    assert (lost["state"], lost["retires_at"]) == ("invalid key", None)
    assert "a key that is unknown, leaked or denied" in lost["why"]
    assert "reported as leaked" in lost["why"]
    assert lost["free_limits"]["rpd"] == 20
    late = found["late", OLD_MODEL]
    assert (late["state"], found["late", "gemini-3.8-flash"]["state"]) == (
        "model refused", "usable",
    )  # fmt: skip
    assert "no longer available to new users" in late["why"]
    assert campaign.requests == 0


async def test_people_read_a_table_and_what_there_is_to_heed(campaign, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    ended = await check(campaign, *keys_file(campaign), "--model", OLD_MODEL)
    assert ended.code == 1
    assert re.search(r"good +standard +p-old +gemini-2.5-flash +usable +2031-1[12]-\d\d", ended.out)
    assert "rpm 10, rpd 250" in ended.out
    assert "lost: invalid key: a key that is unknown, leaked" in ended.out
    assert "late: model refused for gemini-2.5-flash: a model that is unknown, retired" in ended.out
    assert re.search(r"gemini-2.5-flash retires on 2031-1\S+ \S+ \S+, in [\d,]+ days", ended.out)
    assert "(says the service); gemini-3.5-flash-lite follows it" in ended.out
    assert ended.err.splitlines()[-1].startswith("curator: 2 of 4 keys cannot be used")
    assert "checking keys: 4/4" in ended.err


async def test_good_keys_end_with_nothing_to_heed(stage, monkeypatch):
    campaign = await stage(AUTH, GOOD)
    monkeypatch.setenv("COLUMNS", "100")
    ended = await check(campaign, "--keys", str(campaign.folder / "keys.txt"))
    assert ended.code == 0, ended.err
    assert "gemini-3.5-flash-lite" in ended.out
    assert "free: rpd 500" in " ".join(ended.out.split())
    assert list(campaign.server.stats()["look_ups"].values()) == [1, 1]
    assert campaign.requests == 0


async def test_an_account_of_google_cloud_is_told_with_its_place(stage, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    token = {"api_key": "ya29.token", "project": "our-cloud", "enterprise": True}
    campaign = await stage(
        project=[{"name": "our-cloud"}, {"name": "p"}],
        key=[token, {"api_key": GOOD, "project": "p"}],
        accept_unlisted_keys=False,
        models=["gemini-3.5-flash-lite"],
    )
    write_service_account(campaign.folder / "account.json", campaign.url, "our-cloud")
    (campaign.folder / "keys.toml").write_text(
        '[[key]]\nenterprise = true\nproject = "our-cloud"\nlocation = "eu"\nrpm = 30\n'
        'credentials = "account.json"\n[[key]]\nenterprise = true\nproject = "their-cloud"\n'
        'location = "global"\ncredentials = "account.json"\n'
        f'[[key]]\nlabel = "plain"\napi_key = "{GOOD}"\n'
    )
    models = ("--model", "gemini-3.5-flash-lite", "--model", "gemini-1-lost")
    ended = await check(campaign, *keys_file(campaign), "--json", *models)
    assert ended.code == 1
    found = {(key["label"], key["model"]): key for key in json.loads(ended.out)["keys"]}
    ours = found["our-cloud/eu", "gemini-3.5-flash-lite"]
    assert (ours["kind"], ours["location"], ours["state"]) == ("enterprise", "eu", "usable")
    assert ours["project"] == "our-cloud/eu"
    assert (ours["limits"]["rpm"], ours["free_limits"]["rpd"]) == (30, None)
    theirs = found["their-cloud/global", "gemini-3.5-flash-lite"]
    assert theirs["state"] == "invalid key"
    assert "roles/aiplatform.user" in theirs["why"]
    lost = found["our-cloud/eu", "gemini-1-lost"]
    assert lost["state"] == "model refused"
    assert "was not found or your project does not have access" in lost["why"]
    assert found["plain", "gemini-3.5-flash-lite"]["location"] == ""
    ended = await check(campaign, *keys_file(campaign))
    assert re.search(r"our-cloud/eu +enterprise +our-cloud/eu +gemini-3.5\S+ +usable", ended.out)
    assert campaign.requests == 0


async def test_an_account_is_no_key_of_another_service(stage):
    campaign = await stage()
    account = '[[key]]\nenterprise = true\nproject = "our-cloud"\nlocation = "eu"\n'
    (campaign.folder / "keys.toml").write_text(account)
    ended = await check(campaign, *keys_file(campaign), "--service", "openai", "--model", "any")
    assert ended.code == 2
    assert "is an account of Google Cloud; only --service gemini takes those" in ended.err


async def test_no_answer_is_no_keys_fault_and_still_not_good(stage):
    campaign = await stage(GOOD)
    ended = await check(
        campaign, "--keys", str(campaign.folder / "keys.txt"), "--json",
        "--endpoint", "http://127.0.0.1:9",
    )  # fmt: skip
    assert ended.code == 1
    [entry] = json.loads(ended.out)["keys"]
    assert entry["state"] == "not known"
    assert "no connection" in entry["why"]


async def test_limits_that_a_ledger_learned_are_told(stage):
    campaign = await stage(GOOD, unlisted_quota={"rpd": 3})
    keys = ("--keys", str(campaign.folder / "keys.txt"))
    assert (await campaign.run(limit=4)).code == 75
    ended = await check(campaign, *keys, "--json", "--ledger", str(campaign.ledger))
    [entry] = json.loads(ended.out)["keys"]
    assert entry["limits"]["rpd"] == 3
    ended = await check(campaign, *keys, "--json")
    assert json.loads(ended.out)["keys"][0]["limits"]["rpd"] is None


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--keys", "nowhere.toml"), "nowhere.toml: no such keys file; name one that is there"),
        (("--endpoint", "nonsense"), "give something like http://"),
        (("--ledger", "nowhere.db"), "no such ledger"),
        (("--service", "openai"), "--model NAME"),
    ],
)
async def test_bad_input_is_told_in_one_line(stage, arguments, told):
    campaign = await stage(GOOD)
    ended = await check(campaign, "--keys", str(campaign.folder / "keys.txt"), *arguments)
    assert ended.code == 2
    assert told in ended.err
    assert len(ended.err.splitlines()) == 1
    assert campaign.server.stats()["look_ups"] == {}


async def test_an_address_where_nothing_tells_of_models_is_bad_input(stage):
    campaign = await stage(GOOD)
    ended = await check(
        campaign, "--keys", str(campaign.folder / "keys.txt"), "--endpoint", f"{campaign.url}/else"
    )
    assert ended.code == 2
    assert "look at --endpoint" in ended.err


async def test_an_older_ledger_is_brought_up_to_date_first(stage):
    campaign = await stage(GOOD)
    migrate(campaign.ledger)
    keys = ("--keys", str(campaign.folder / "keys.txt"))
    assert (await check(campaign, *keys, "--ledger", str(campaign.ledger))).code == 0


@pytest.mark.parametrize(("model", "code"), [("llava", 0), ("llama", 1)])
async def test_a_server_of_ones_own_is_asked_for_its_list(stage, model, code):
    pytest.importorskip("openai", reason="the extra `openai` is not installed")
    campaign = await stage(GOOD)
    server = OpenAIServer({}, models=frozenset({"llava:latest"}))
    async with server.serving() as url:
        ended = await check(
            campaign, "--service", "openai", "--endpoint", url, "--model", model, "--json"
        )
    assert ended.code == code
    [entry] = json.loads(ended.out)["keys"]
    assert (entry["label"], entry["kind"]) == ("no-key", "none")
    assert server.seen == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_stops_the_checks_in_good_order(tmp_path, number):
    asked = asyncio.Event()

    async def never_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        asked.set()
        await reader.read()
        writer.close()

    (tmp_path / "keys.txt").write_text(GOOD)
    async with await asyncio.start_server(never_answer, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        process = await start_process(
            *("keys", "--keys", str(tmp_path / "keys.txt"), "--endpoint", f"http://{host}:{port}")
        )
        async with asyncio.timeout(60):
            await asked.wait()
            process.send_signal(number)
            result = await ended(process)
    assert result.code == 75, result.err
    assert "Traceback" not in result.err
    assert result.err.endswith("curator: stopped; run the same command again to go on\n")


async def test_a_name_that_no_key_may_use_is_told_with_the_nearest_known(campaign):
    ended = await check(campaign, *keys_file(campaign), "--model", "gemini-3.5-flash-light")
    assert ended.code == 1
    assert "; the nearest known: gemini-3.5-flash-lite" in ended.err.splitlines()[-1]
    # A known name that a project may not use is not misspelt.
    ended = await check(campaign, *keys_file(campaign), "--model", OLD_MODEL)
    assert "nearest" not in ended.err
