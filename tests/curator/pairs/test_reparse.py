"""Kept replies judged again: by what was received, whatever an earlier release made of it."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from curator.__main__ import app
from curator.judging.drafts import Draft
from curator.judging.rules import Verdict, validate
from curator.ledger import (
    Attempt,
    Campaign,
    ItemChange,
    Ledger,
    Outcome,
    Result,
    TokenUse,
    WorkState,
    migrate,
    sole_writer,
)
from curator.prompts.prompt import Prompt
from curator.status.status import reply_counts
from shared.corpus import read_pairs
from shared.endpoints.keys.asked_model import AskedModel
from shared.program.cli import run_program
from shared.records import ImageRef, Listing
from tests.curator.ledger.ledgers import kept_pairs, tallied

CAMPAIGN = Campaign((AskedModel("gemini-x"),), Prompt(3, 2).version, 3)
COLOUR = Draft("What is the main color of it?", "dark red", "easy")
REFUSED = Draft("What is it made of?", "unknown", "hard")
NOTHING = Verdict((), (), ())


def body(*drafts: Draft) -> str:
    rows = [
        {"question": d.question, "answer": d.answer, "difficulty": d.difficulty} for d in drafts
    ]
    part = {"text": json.dumps(rows)}
    return json.dumps({"candidates": [{"content": {"parts": [part]}, "finishReason": "STOP"}]})


def listing(number: int) -> Listing:
    return Listing(f"L{number}", ImageRef(f"i{number}", f"{number}.jpg"), {"color": "crimson"})


async def record(
    ledger: Ledger, item_id: int, reply: str, state: WorkState, verdict: Verdict
) -> None:
    one = Attempt(ledger.new_attempt_id(), 1, item_id, "fp", "p", "gemini-x", 5.0, 100)
    await ledger.begin(one)
    change = ItemChange(1, item_id, state, 1, "" if state is WorkState.DONE else "unreadable")
    outcome = Outcome.ANSWERED if verdict.accepted else Outcome.UNUSABLE
    tokens = TokenUse(90, 40, 0)
    await ledger.finish(
        Result(one.attempt_id, 6.0, outcome, "", tokens, reply, change=change, verdict=verdict)
    )


def fill(path: Path, campaign: Campaign = CAMPAIGN) -> None:
    """Leave a ledger whose parser and rules were worse than this release's."""

    async def write() -> None:
        async with Ledger.opened(path) as ledger:
            await ledger.add_catalog("src", "f", "images", map(listing, range(4)), 1.0)
            assert await ledger.enrol(campaign, 1.0) == 1
            both = validate([COLOUR], answer_words=2)
            loose = Verdict((*both.accepted, REFUSED), (), both.agreements * 2)
            await record(ledger, 1, body(COLOUR, REFUSED), WorkState.DONE, loose)
            await record(ledger, 2, "not even JSON", WorkState.PENDING, NOTHING)
            await record(ledger, 2, body(COLOUR), WorkState.DEAD, NOTHING)
            useless = Verdict((REFUSED,), (), both.agreements)
            await record(ledger, 3, body(REFUSED), WorkState.DONE, useless)

    migrate(path)
    asyncio.run(write())


def reparse(path: Path, capsys, *more: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        run_program(app, "curator", ["reparse", "--ledger", str(path), *more])
    return ended.value.code, *capsys.readouterr()


def state(path: Path) -> tuple:
    async def read() -> tuple:
        async with Ledger.opened(path) as ledger:
            (report,) = await ledger.reports(10.0)
            found = [(one.filename, one.question, one.agreement) for one in kept_pairs(path)]
            return report, found, await ledger.retry_dead(1)

    return asyncio.run(read())


def test_replies_are_judged_by_the_present_parser_and_rules(tmp_path, capsys):
    path = tmp_path / "l.db"
    fill(path)
    for changes in ("1 images gained, 1 given up", "0 images gained, 0 given up"):
        code, out, err = reparse(path, capsys)
        assert code == 0, err
        assert out == f"3 images judged again, 2 pairs; {changes}\n"
    report, pairs, returned = state(path)
    assert pairs == [(f"{n}.jpg", COLOUR.question, "agrees") for n in (0, 1)]
    progress = report.progress
    assert (progress.done, progress.dead, progress.pending) == (2, 1, 1)
    assert report.rejected == {"refusal": 2}
    assert report.dead_letters[0].reason == "no pair passed the rules"
    assert report.outcomes == {"answered": 2, "unusable": 2}
    assert report.tokens == TokenUse(360, 160, 0)
    # Replies that an earlier release kept without a word on their form are counted now.
    counted = reply_counts(report)
    assert counted.forms == {"json": 3, "empty": 1}
    assert counted.rejections == {"no_candidate": 1, "no_valid_pair": 1}
    assert returned == 1


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_the_agreement_is_exported(tmp_path, capsys, suffix):
    path, out = tmp_path / "l.db", tmp_path / f"pairs.{suffix}"
    fill(path)
    assert reparse(path, capsys)[0] == 0
    with pytest.raises(SystemExit) as ended:
        run_program(app, "curator", ["export", "--ledger", str(path), "--out", str(out)])
    assert ended.value.code == 0
    assert [pair.agreement for pair in read_pairs(out)] == ["agrees", "agrees"]


def test_a_prompt_of_another_release_asks_for_the_length_of_its_answers(tmp_path, capsys):
    path = tmp_path / "l.db"
    fill(path, Campaign((AskedModel("gemini-x"),), "0-gone", 3))
    code, out, err = reparse(path, capsys)
    assert (code, out) == (2, "")
    assert "--answer-words" in err
    code, out, _ = reparse(path, capsys, "--answer-words", "2")
    assert (code, out.partition(";")[0]) == (0, "3 images judged again, 2 pairs")


def test_there_is_nothing_to_judge_before_a_run_or_during_one(tmp_path, capsys):
    path = tmp_path / "l.db"
    assert reparse(path, capsys)[0] == 2
    migrate(path)
    code, _, err = reparse(path, capsys)
    assert (code, "no pairs yet" in err) == (2, True)
    with sole_writer(path):
        code, _, err = reparse(path, capsys)
    assert (code, "another `curator run`" in err) == (2, True)


def test_what_earlier_releases_did_not_read_of_a_reply_is_read_now(tmp_path, capsys):
    path = tmp_path / "l.db"
    fill(path)
    usage = {"promptTokenCount": 1_200, "candidatesTokenCount": 40, "cachedContentTokenCount": 100}
    details = [{"modality": "IMAGE", "tokenCount": 1_120}]
    status = {"modelStage": "DEPRECATED", "retirementTime": "2027-02-01T00:00:00Z"}
    told = json.loads(body(COLOUR)) | {
        "modelVersion": "gemini-y",
        "modelStatus": status,
        "usageMetadata": usage | {"promptTokensDetails": details},
    }

    async def add() -> None:
        async with Ledger.opened(path) as ledger:
            pairs = validate([COLOUR], answer_words=2)
            await record(ledger, 4, json.dumps(told), WorkState.DONE, pairs)

    asyncio.run(add())
    assert state(path)[0].replies_by_model == ()
    for _ in range(2):
        assert reparse(path, capsys)[0] == 0
        report = state(path)[0]
        [replies] = report.replies_by_model
        assert (replies.asked, replies.answered_by, replies.count) == ("gemini-x", "gemini-y", 1)
        assert report.told_end("gemini-x") == datetime(2027, 2, 1, tzinfo=UTC).timestamp()
        assert report.pairs_by_model == {"gemini-x": 2, "gemini-y": 1}
        # Replies that tell no usage keep what was counted.
        assert report.tokens == TokenUse(360 + 1_200, 160 + 40, 0, cached=100, images=1_120)
        tallied(path)
