"""Servers that speak OpenAI's protocol, asked through the official SDK over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import hashlib
import json
import threading
import traceback
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curator.judging.parser import Parsed, parse_reply
from curator.prompts.prompt import Prompt
from shared.corpus import read_pairs
from shared.endpoints.image_encoding import prepare_photo
from shared.endpoints.keys.key import Key
from shared.endpoints.keys.keyfile import read_keys
from shared.endpoints.keys.variables import OPENAI_KEYS
from shared.endpoints.models.asked_settings import ModelSettings
from shared.endpoints.models.tier import Tier
from shared.endpoints.protocols.annotator import Reply
from shared.endpoints.protocols.chat_completions import AskedForm, form_fields, read_completion
from shared.endpoints.protocols.openai_sdk import OpenAIClient
from shared.endpoints.protocols.registry import Service
from shared.endpoints.refusals.error_answers import refusal_of
from shared.endpoints.refusals.refusal import (
    BadRequest,
    FormNotTaken,
    InvalidKey,
    ModelRefused,
    ProjectRefused,
    RateLimited,
    Refusal,
    Shed,
    Unanswered,
    Unavailable,
    Unreachable,
)
from shared.endpoints.request import NO_SCHEMA, Request
from shared.program.reporting.secret_mask import SecretMask
from tests.curator.campaign.test_run import bad_run
from tests.curator.campaigns import PICTURES, Campaign
from tests.curator.pictures import write_answers
from tests.fakes.chat_server import ChatServer, completion
from tests.fakes.openai_server import OpenAIServer

pytest.importorskip("openai", reason="the extra `openai` is not installed")

SECRET = "sk-SecretOfTheTest0123456789"
PROMPT = Prompt(3, 1)


def known_pairs(images: Path, folder: Path) -> dict[str, list[tuple[str, str]]]:
    """Return the pairs about each picture by the digest of what is sent of it."""
    known: dict[str, list[tuple[str, str]]] = {}
    with write_answers(images, folder / "known.csv").open() as file:
        for row in csv.DictReader(file):
            sent = prepare_photo(images / row["filename"]).jpeg
            pair = (row["question"], row["answer"])
            known.setdefault(hashlib.sha256(sent).hexdigest(), []).append(pair)
    return known


@pytest.fixture
def server(abo, tmp_path) -> OpenAIServer:
    return OpenAIServer(known_pairs(abo / "images" / "small", tmp_path))


async def ask(
    server: OpenAIServer, abo: Path, *, secret="", models=("llava",), times=1, **more
) -> list:
    """Return what came of so many requests to the models in turn: replies and refusals."""
    photo = prepare_photo(abo / "images" / "small" / "00" / "00000000.jpg")
    request = PROMPT.request({"item_name": "thing"}, photo.jpeg, photo.longest_px)
    came = []
    async with (
        server.serving() as url,
        OpenAIClient.connected(base_url=url, timeout_s=5.0, **more) as client,
    ):
        for model in [*models] * times:
            try:
                came.append(await client.generate(request, Key("k", "p", secret), model))
            except Refusal as refusal:
                came.append(refusal)
    for refusal in came:
        if isinstance(refusal, Refusal):
            assert SECRET not in "".join(traceback.format_exception(refusal))
    return came


async def test_a_server_that_is_not_there_was_sent_nothing():
    request = PROMPT.request({}, b"", 256)
    url = "http://127.0.0.1:9/v1"
    async with OpenAIClient.connected(base_url=url, timeout_s=5.0) as client:
        with pytest.raises(Unreachable, match="no connection"):
            await client.generate(request, Key("k", "p", ""), "m")


async def test_a_known_picture_gets_its_pairs_by_the_schema_without_a_key(server, abo):
    (reply,) = await ask(server, abo)
    assert isinstance(reply, Reply)
    parsed = parse_reply(reply.text)
    assert isinstance(parsed, Parsed)
    assert [draft.answer for draft in parsed.drafts] == ["colour0", "thing0", "number0"]
    assert (reply.ending, reply.input_tokens, reply.output_tokens) == ("STOP", 700, 90)
    assert json.loads(reply.body)["object"] == "chat.completion"
    asked = server.seen[0]["response_format"]["json_schema"]
    assert (asked["strict"], asked["name"]) == (True, "question_answer_pairs")


@pytest.mark.parametrize(
    ("forms", "refused"), [({"json_object"}, 1), (set(), 2), ({"json_schema", "json_object"}, 0)]
)
async def test_a_server_that_takes_no_schema_is_asked_more_plainly(server, abo, forms, refused):
    server.forms = frozenset(forms)
    came = await ask(server, abo, times=refused + 2)
    assert [type(one) for one in came] == [FormNotTaken] * refused + [Reply] * 2
    assert isinstance(parse_reply(came[-1].text), Parsed)
    assert len(server.seen) == refused + 2


async def test_one_model_is_asked_plainly_and_another_by_the_schema_all_the_same(server, abo):
    server.models = frozenset({"llava", "moondream"})
    server.plain_models = frozenset({"moondream"})
    came = await ask(server, abo, models=("moondream", "llava"), times=3)
    assert [type(one) for one in came[::2]] == [FormNotTaken, FormNotTaken, Reply]
    assert [type(one) for one in came[1::2]] == [Reply] * 3
    by_schema = [body.get("response_format", {}).get("type") for body in server.seen[1::2]]
    assert by_schema == ["json_schema"] * 3


async def test_what_is_refused_once_the_form_was_taken_is_about_the_request(server, abo):
    server.events = {2: (400, "invalid_image")}
    came = await ask(server, abo, times=3)
    assert [type(one) for one in came] == [Reply, BadRequest, Reply]


async def test_each_model_is_told_how_to_think_and_to_look(server, abo):
    settings = {"llava": ModelSettings("low", None, "high")}
    await ask(server, abo, models=("llava", "other"), settings=settings)
    told, untold = server.seen
    assert told["reasoning_effort"] == "low"
    assert told["messages"][0]["content"][1]["image_url"]["detail"] == "high"
    assert "reasoning_effort" not in untold
    assert "detail" not in untold["messages"][0]["content"][1]["image_url"]


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ((429, "resource_unavailable"), Shed),
        ((503, ""), Shed),
        ((429, "rate_limit_exceeded"), RateLimited),
        ((429, "insufficient_quota"), ProjectRefused),
        ((500, ""), Unavailable),
    ],
)
async def test_at_the_flex_tier_want_of_room_is_told_from_what_else_is_wrong(
    server, abo, event, kind
):
    server.events = {1: event}
    came, after = await ask(server, abo, times=2, tier=Tier.FLEX)
    assert type(came) is kind
    assert isinstance(after, Reply)
    assert [body["service_tier"] for body in server.seen] == ["flex"] * 2
    assert "service_tier" not in server.seen[0]["messages"][0]


@pytest.mark.parametrize(
    ("told", "tier"), [("flex", Tier.FLEX), ("default", Tier.STANDARD), ("scale", None), (7, None)]
)
def test_the_tier_that_answered_is_told(told, tier):
    assert read_completion(json.dumps({"choices": [], "service_tier": told})).tier is tier


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ((401, "invalid_api_key"), InvalidKey),
        ((403, ""), InvalidKey),
        ((429, "insufficient_quota"), ProjectRefused),
        ((429, "rate_limit_exceeded"), RateLimited),
        ((404, "model_not_found"), ModelRefused),
        ((500, ""), Unavailable),
        ((503, ""), Unavailable),
        ("cut", Unanswered),
        ("drop", Unanswered),
    ],
)
async def test_each_error_becomes_its_refusal_after_one_request(server, abo, event, kind):
    server.events = {1: event}
    (came,) = await ask(server, abo, secret=SECRET)
    assert type(came) is kind
    assert len(server.seen) == 1
    assert came.__context__ is None or issubclass(kind, Unavailable)
    if kind is RateLimited:
        assert came.retry_after_s == 7.0


async def test_a_key_is_sent_and_never_repeated(server, abo):
    server.api_key = SECRET
    assert isinstance((await ask(server, abo, secret=SECRET))[0], Reply)
    assert server.authorizations == [f"Bearer {SECRET}"]
    server.api_key = "another"
    (refusal,) = await ask(server, abo, secret=SECRET)
    assert isinstance(refusal, InvalidKey)
    assert SECRET not in refusal.reason


@given(st.text() | st.text('{}[]":choices,message0'))
def test_any_body_is_a_reply_or_unavailable(body):
    with contextlib.suppress(Unavailable):
        assert isinstance(read_completion(body), Reply)


@pytest.mark.parametrize(
    ("choice", "text", "ending"),
    [
        ({"message": {"content": "<think>\nhm</think>[]"}, "finish_reason": "stop"}, "[]", "STOP"),
        ({"message": {"content": [{"type": "text", "text": "a"}]}}, "a", ""),
        ({"message": {"content": None}, "finish_reason": "content_filter"}, "", "SAFETY"),
        (
            {"message": {"content": "[", "refusal": None}, "finish_reason": "length"},
            "[",
            "MAX_TOKENS",
        ),
        ({"message": {"content": None, "refusal": "No."}, "finish_reason": "stop"}, "", "REFUSAL"),
    ],
)
def test_endings_are_told_in_our_words(choice, text, ending):
    reply = read_completion(json.dumps({"choices": [choice]}))
    assert (reply.text, reply.ending) == (text, ending)


@pytest.mark.parametrize(
    ("completion", "total", "output"), [(40, 540, 33), (40, 547, 40), (3, 503, 0), (40, None, 33)]
)
def test_tokens_are_told_by_kind_whichever_way_thoughts_are_counted(completion, total, output):
    usage = {
        "prompt_tokens": 500,
        "completion_tokens": completion,
        "total_tokens": total,
        "prompt_tokens_details": {"cached_tokens": 100, "image_tokens": 258},
        "completion_tokens_details": {"reasoning_tokens": 7},
    }
    reply = read_completion(json.dumps({"choices": [], "usage": usage}))
    assert (reply.input_tokens, reply.output_tokens, reply.thought_tokens) == (500, output, 7)
    assert (reply.cached_tokens, reply.image_tokens) == (100, 258)


def test_a_reason_holds_no_key_and_a_date_is_no_delay():
    refusal = refusal_of(
        429, f'{{"error": {{"message": "bad {SECRET}"}}}}', {}, SecretMask([SECRET])
    )
    assert SECRET not in refusal.reason
    assert refusal.retry_after_s is None
    dated = refusal_of(429, "", {"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, SecretMask())
    assert (dated.retry_after_s, dated.reason) == (None, "429")


def test_plain_text_asks_for_no_form():
    assert form_fields(PROMPT.schema, AskedForm.PLAIN) == {}


def test_keys_are_optional():
    assert [key.label for key in read_keys(None, {}, OPENAI_KEYS)] == ["no-key"]
    (key,) = read_keys(None, {"OPENAI_API_KEY": SECRET}, OPENAI_KEYS)
    assert (key.label, key.secret) == ("key-1", SECRET)


@pytest.mark.slow
async def test_a_whole_campaign_with_second_opinions_and_no_key(server, abo, tmp_path, capsys):
    server.forms = frozenset()
    server.events = {5: (503, ""), 9: "cut"}
    folder = tmp_path / "work"
    folder.mkdir()
    async with server.serving() as url:
        campaign = Campaign(folder, abo, None, url, capsys)  # type: ignore[arg-type]
        asked = {"annotator": Service.OPENAI, "model": "llava", "keys": None, "verify": 1.0}
        result = await campaign.run(concurrency=1, **asked)
        assert result.code == 0, result.err
        requests = len(server.seen)
        again = await campaign.run(concurrency=1, **asked)
        assert (again.code, len(server.seen)) == (0, requests)
    assert requests == 2 + 2 + PICTURES + 3 * PICTURES
    status = await campaign.status()
    assert (status["annotator"], status["models"]) == ("openai", ["llava"])
    assert status["progress"]["done"] == PICTURES
    assert status["second_opinions"]["agrees"] == 3 * PICTURES
    assert status["replies"]["by_form"] == {"list": PICTURES}
    assert status["attempts"]["bad_request"] == 2
    assert (await campaign.command("reparse")).code == 0
    out = folder / "qa.jsonl"
    assert (await campaign.command("export", "--out", str(out))).code == 0
    assert {pair.provenance.model for pair in read_pairs(out)} == {"llava"}


def test_a_model_must_be_named(tmp_path, capsys):
    (tmp_path / "keys.txt").write_text(SECRET)
    code, err = bad_run(tmp_path, capsys, annotator="openai")
    assert (code, "--model" in err) == (2, True)


async def test_a_refused_form_is_no_fault_of_a_question_though_a_plainer_one_was_taken_meanwhile():
    slow_came, plain_was_taken = threading.Event(), threading.Event()

    def mood(body, text):
        if "response_format" not in body:
            plain_was_taken.set()
            return 200, completion("llava", "red")
        if text == "slow":
            slow_came.set()
            plain_was_taken.wait(5)
        return 400, {"error": {"message": "response_format is not supported", "code": None}}

    def asked(text):
        return client.generate(
            Request("", None, text, 0, NO_SCHEMA), Key("key", "project", ""), "llava"
        )

    with ChatServer({"llava": ""}, mood).serving() as server:
        async with OpenAIClient.connected(
            base_url=server.url,
            timeout_s=5.0,
            forms={"llava": AskedForm.OBJECT},
        ) as client:
            slow = asyncio.create_task(asked("slow"))
            await asyncio.to_thread(slow_came.wait, 5)
            with pytest.raises(FormNotTaken):
                await asked("quick")
            assert (await asked("quick")).text == "red"
            with pytest.raises(FormNotTaken):
                await slow
