"""A campaign file stands for the options of a run; what is typed comes before it."""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import pty
import signal
import sys
from pathlib import Path

import pytest

from curator.commands.campaign.campaign_file import _ONCE, _keys_of, read_campaign_file
from curator.commands.campaign.run import run
from shared.errors import InputError
from tests.curator.campaigns import PICTURES, ended, start_process

END_OF_INPUT = "\x04"
"""What a terminal takes for it: Ctrl-D."""


def written(folder: Path, content: str) -> Path:
    path = folder / "campaign.toml"
    path.write_text(content, encoding="utf-8")
    return path


@pytest.fixture
async def filed(stage):
    """A campaign whose options stand in a file beside its keys."""
    campaign = await stage()
    file = written(
        campaign.folder,
        f"""
        catalog = "../abo"
        keys = "keys.txt"
        ledger = "campaign.db"
        base_url = "{campaign.url}"
        questions = 3
        concurrency = 2
        """,
    )
    return campaign, file


@pytest.mark.slow
async def test_a_campaign_is_run_planned_and_gone_on_with_by_its_file(filed):
    campaign, file = filed
    planned = await ended(await start_process("plan", str(file), "--json"))
    assert planned.code == 0, planned.err
    assert json.loads(planned.out)["images"] == PICTURES
    first = await ended(await start_process("run", str(file), "--limit", "5"))
    assert (first.code, "5 of 12 images done" in first.out) == (0, True), first.err
    # From wherever it is started: paths are below the file.
    again = await ended(await start_process("run", str(file)))
    assert "12 of 12 images done" in again.out
    assert campaign.requests == PICTURES
    assert (await campaign.status())["questions"] == 3
    # A ledger that is there tells a plan what requests took.
    assert (await ended(await start_process("plan", str(file)))).code == 0


async def test_what_is_typed_comes_before_the_file(filed):
    campaign, file = filed
    result = await ended(await start_process("run", str(file), "--questions", "2"))
    assert result.code == 0, result.err
    assert (await campaign.status())["questions"] == 2


async def test_while_images_wait_a_limited_run_names_itself_without_the_limit(filed):
    _, file = filed
    options = ("--questions", "2", "--limit", "5")
    result = await ended(await start_process("run", str(file), *options))
    assert result.err.splitlines()[-1] == f"next: curator run {file} --questions 2"


def test_every_option_of_a_run_has_its_key_or_a_reason_against_it():
    parameters = set(inspect.signature(run).parameters) - {"context", "file"} - _ONCE.keys()
    assert {key.parameter for key in _keys_of(run).values()} == parameters


def test_values_of_every_type_are_taken_as_they_would_be_typed(tmp_path):
    everything = """
        catalog = "c"
        ledger = "~/l"
        keys = "k"
        images = "i"
        columns = "id=sku"
        agreement = "a.toml"
        service = "openai"
        model = ["m"]
        models = "m.toml"
        endpoint = "http://localhost"
        prompt = ["a.toml", { file = "b.toml" }]
        questions = 1
        answer_words = 1
        thinking = "low"
        image_detail = "low"
        tier = "flex"
        limit = 1
        concurrency = 1
        requests_per_minute = 1
        on_exhausted = "wait"
        status = "localhost:1"
        timeout = 1
        watch = true
        once_per_look = true
        verify = 0.5
        canary = 1
        shuffle = 1
        budget_usd = 1
        budget_tokens = 1
    """
    said = read_campaign_file(written(tmp_path, everything))
    assert (said["catalog"], said["ledger"]) == (str(tmp_path / "c"), str(Path("~/l").expanduser()))
    assert said["prompt"] == [str(tmp_path / "a.toml"), str(tmp_path / "b.toml")]
    assert (said["on_exhausted"], said["timeout_s"]) == ("wait", 1.0)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("questions = 60", "questions: must be less than or equal to 50; 60 was given"),
        ("question = 5", "unknown key 'question'; did you mean 'questions'?"),
        ("watch = 3", "watch: true or false was expected"),
        ('tier = "fast"', "tier: must be 'standard', 'flex' or 'batch'"),
        ("retry_dead = true", "retry_dead is for one run; give it on the command line"),
        ('status_token = "x"', "status_token is a secret; set the variable CURATOR_STATUS_TOKEN"),
        ('prompt = { file = "a" }', "prompt"),
        ('keys = ""', "keys: is empty; a path was expected"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_line(tmp_path, content, told):
    with pytest.raises(InputError) as refused:
        read_campaign_file(written(tmp_path, content))
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.slow
async def test_another_number_of_questions_is_told_to_begin_a_new_campaign(filed):
    campaign, file = filed
    await ended(await start_process("run", str(file)))
    other = await ended(await start_process("run", str(file), "--questions", "2"))
    assert other.code == 0, other.err
    (line,) = [line for line in other.err.splitlines() if "new_campaign" in line]
    assert f"images={PICTURES}" in line
    assert "2 questions" in line
    assert "3 questions" in line
    again = await ended(await start_process("run", str(file), "--questions", "2"))
    assert "new_campaign" not in again.err
    shown = await campaign.command("status", "--campaign", "2")
    assert (shown.out.count("Campaign "), "Campaign 2" in shown.out) == (1, True)
    unknown = await campaign.command("status", "--campaign", "3")
    assert unknown.code == 2
    assert unknown.err.endswith("no campaign 3; there are 1, 2\n")


async def at_a_terminal(file: Path, *more: str, typed: str) -> tuple[int, str]:
    """Run a campaign at a terminal of its own; answer what it asks, or interrupt it."""
    ours, theirs = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "curator", "run", str(file), *more),
        stdin=theirs,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=theirs,
    )
    os.close(theirs)
    shown, is_asked = "", False
    loop = asyncio.get_running_loop()
    while True:
        try:
            shown += (await loop.run_in_executor(None, os.read, ours, 4096)).decode()
        except OSError:
            break
        if shown.endswith("[y/N] ") and not is_asked:
            if typed:
                os.write(ours, typed.encode())
            else:
                process.send_signal(signal.SIGINT)
            is_asked = True
    os.close(ours)
    return await process.wait(), shown


@pytest.mark.slow
async def test_at_a_terminal_a_new_campaign_is_asked_about_before_quota_is_spent(filed):
    campaign, file = filed
    await ended(await start_process("run", str(file)))
    asked = campaign.requests
    code, shown = await at_a_terminal(file, "--questions", "2", typed="\n")
    assert (code, campaign.requests) == (2, asked), shown
    assert f"about {PICTURES} images, beside 1 (" in shown
    assert "no new campaign was begun; --yes begins it" in shown
    assert shown.count("beside 1 (") == 1, "told twice"
    code, shown = await at_a_terminal(file, "--questions", "2", typed=END_OF_INPUT)
    assert (code, campaign.requests) == (2, asked), shown
    assert "[y/N] \r\ncurator: no new campaign was begun" in shown
    code, shown = await at_a_terminal(file, "--questions", "2", typed="")
    assert (code, campaign.requests) == (75, asked), shown
    assert (await campaign.command("status")).out.count("Campaign ") == 1
    code, shown = await at_a_terminal(file, "--questions", "2", "--yes", typed="n\n")
    assert (code, "[y/N]" in shown) == (0, False), shown
    code, shown = await at_a_terminal(file, "--questions", "1", typed="y\n")
    assert (code, campaign.requests) == (0, asked + 2 * PICTURES), shown


async def test_pairs_of_several_campaigns_are_exported_together_each_question_once(filed):
    campaign, file = filed
    await ended(await start_process("run", str(file)))
    await ended(await start_process("run", str(file), "--questions", "2"))
    out = campaign.folder / "both"
    refused = await campaign.command("export", "--out", str(out))
    assert refused.code == 2
    assert (
        "several campaigns; give --campaign ID of: 1 (3 questions, prompt 1-f35061b3" in refused.err
    )
    both = await campaign.command(
        *("export", "--campaign", "1", "--campaign", "2", "--out", str(out))
    )
    assert both.code == 0, both.err
    # The rehearsal gives the same questions twice: the first campaign's count.
    assert both.out.startswith("36 pairs in ")
    manifest = json.loads((out / "manifest.json").read_text())
    assert [each["questions"] for each in manifest["source"]["campaigns"]] == [3, 2]


def test_names_of_the_first_release_are_taken_and_never_both(tmp_path):
    said = read_campaign_file(
        written(tmp_path, 'base_url = "http://localhost"\nannotator = "openai"')
    )
    assert said == {"endpoint": "http://localhost", "service": "openai"}
    both = written(tmp_path, 'base_url = "http://a"\nendpoint = "http://b"')
    with pytest.raises(InputError, match="base_url is now called endpoint"):
        read_campaign_file(both)
