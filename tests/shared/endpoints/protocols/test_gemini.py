from __future__ import annotations

import base64
import json
import socket
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from curator.prompts.prompt import Prompt
from curator.prompts.schema import ANSWER_SCHEMA
from curator.rehearsal.faults import Fault
from curator.rehearsal.key_ring import RehearsedKeyState
from shared.endpoints.image_encoding import prepare_photo
from shared.endpoints.keys.key import Key
from shared.endpoints.keys.quota import Quota, Window
from shared.endpoints.models.known import packaged_models
from shared.endpoints.protocols.annotator import AskedForm, check_base_url
from shared.endpoints.protocols.gemini import Gemini, lasting_socket
from shared.endpoints.protocols.gemini_wire import read_reply, request_body
from shared.endpoints.refusals.error_answers import LONGEST_REASON, refusal_of
from shared.endpoints.refusals.refusal import (
    BadRequest,
    FormNotTaken,
    InvalidKey,
    ModelRefused,
    NoQuota,
    ProjectRefused,
    RateLimited,
    Unanswered,
    Unavailable,
    Unreachable,
)
from shared.endpoints.request import Request
from shared.endpoints.token_estimates import TokenEstimates
from shared.errors import InputError
from shared.program.reporting.secret_mask import SecretMask

SECRET = "AIzaSySecretOfTheTest01"
KEY = Key("one", "p1", SECRET)
PROMPT = Prompt(questions=3, answer_words=1)
TYPE = "type.googleapis.com/google.rpc."


def error_body(code: int, status: str, message: str, *details: dict) -> dict:
    return {"error": {"code": code, "status": status, "message": message, "details": [*details]}}


def quota_failure(quota_id: str, value: str | None = None) -> dict:
    violation = {"quotaMetric": "m", "quotaId": quota_id}
    return {
        "@type": f"{TYPE}QuotaFailure",
        "violations": [violation | ({"quotaValue": value} if value else {})],
    }


def retry_info(delay: str) -> dict:
    return {"@type": f"{TYPE}RetryInfo", "retryDelay": delay}


def reason(word: str) -> dict:
    return {"@type": f"{TYPE}ErrorInfo", "reason": word, "domain": "googleapis.com"}


def refused(code: int, status: str, message: str, *details: dict):
    body = json.dumps(error_body(code, status, message, *details))
    return refusal_of(code, body, {}, SecretMask([SECRET]))


@pytest.mark.parametrize(
    ("details", "window", "delay", "limits"),
    [
        ([], Window.MINUTE, None, Quota()),
        ([retry_info("22s")], Window.MINUTE, 22.0, Quota()),
        ([retry_info("964.97ms")], Window.MINUTE, pytest.approx(0.96497), Quota()),
        ([retry_info("0s")], Window.MINUTE, 0.0, Quota()),
        (
            [
                retry_info("3s"),
                quota_failure("GenerateRequestsPerMinutePerProjectPerModel-FreeTier", "10"),
            ],
            Window.MINUTE,
            3.0,
            Quota(rpm=10),
        ),
        (
            [
                quota_failure("GenerateRequestsPerDayPerProjectPerModel-FreeTier", "250"),
                quota_failure("GenerateRequestsPerMinutePerProjectPerModel", "10"),
                quota_failure("GenerateContentInputTokensPerModelPerMinute-FreeTier", "250000"),
                retry_info("12s"),
            ],
            Window.DAY,
            12.0,
            Quota(rpm=10, tpm=250_000, rpd=250),
        ),
        (
            [quota_failure("GenerateRequestsPerDayPerProjectPerModel-FreeTier")],
            Window.DAY,
            None,
            Quota(),
        ),
    ],
)
def test_a_429_tells_its_window_delay_and_limits(details, window, delay, limits):
    refusal = refused(429, "RESOURCE_EXHAUSTED", "Quota exceeded", *details)
    assert isinstance(refusal, RateLimited)
    assert (refusal.window, refusal.retry_after_s, refusal.limits) == (window, delay, limits)


def test_a_429_says_which_quota_rather_than_where_to_read_about_quotas():
    message = (
        "You exceeded your current quota, please check your plan and billing details. For more "
        "information on this error, head to: https://ai.google.dev/gemini-api/docs/rate-limits. To "
        "monitor your current usage, head to: https://ai.dev/usage?tab=rate-limit. \n"
        "* Quota exceeded for metric: generativelanguage.googleapis.com/requests, limit: 20, "
        "model: gemini-3.8-flash\nPlease retry in 3s."
    )
    assert refused(429, "RESOURCE_EXHAUSTED", message).reason == (
        "RESOURCE_EXHAUSTED: Quota exceeded for metric: generativelanguage.googleapis.com/requests,"
        " limit: 20, model: gemini-3.8-flash Please retry in 3s."
    )
    cut = refused(429, "RESOURCE_EXHAUSTED", "words " * 100).reason
    assert (len(cut), cut[-1]) == (LONGEST_REASON, "…")


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (
            (400, "INVALID_ARGUMENT", "API key not valid.", reason("API_KEY_INVALID")),
            InvalidKey,
            "API_KEY_INVALID",
        ),
        (
            (403, "PERMISSION_DENIED", "Your API key was reported as leaked. Use another."),
            InvalidKey,
            "leaked",
        ),
        (
            (403, "PERMISSION_DENIED", f"'api_key:{SECRET}'", reason("CONSUMER_SUSPENDED")),
            InvalidKey,
            "CONSUMER_SUSPENDED",
        ),
        ((403, "PERMISSION_DENIED", f"Denied for {SECRET}"), InvalidKey, "secret"),
        (
            (400, "FAILED_PRECONDITION", "User location is not supported."),
            ProjectRefused,
            "location",
        ),
        ((400, "INVALID_ARGUMENT", "Unable to process input image."), BadRequest, "image"),
        ((404, "NOT_FOUND", "models/x is not found"), ModelRefused, "models/x"),
        ((500, "INTERNAL", "An internal error"), Unavailable, "internal"),
        ((503, "UNAVAILABLE", "The model is overloaded."), Unavailable, "overloaded"),
        ((504, "DEADLINE_EXCEEDED", "Too slow"), Unavailable, "slow"),
    ],
)
def test_other_errors_become_our_words_without_the_key(error, kind, said):
    code, status, message, *details = error
    refusal = refused(code, status, message, *details)
    assert type(refusal) is kind
    assert said in refusal.reason
    assert SECRET not in str(refusal)


@pytest.mark.parametrize("body", [None, [], "text", {"error": "text"}, {"error": {"details": {}}}])
def test_error_bodies_of_any_shape_are_understood(body):
    assert isinstance(refusal_of(502, json.dumps(body), {}, SecretMask()), Unavailable)


def test_a_reply_gives_text_without_thoughts_ending_and_tokens():
    body = json.dumps(
        {
            "candidates": [
                {
                    "content": {
                        "parts": [{"text": "hm", "thought": True}, {"text": "[1"}, {"text": "]"}]
                    },
                    "finishReason": "STOP",
                }
            ],
            "usageMetadata": {
                "promptTokenCount": 500,
                "candidatesTokenCount": 40,
                "thoughtsTokenCount": 7,
                "cachedContentTokenCount": 100,
                "promptTokensDetails": [
                    {"modality": "TEXT", "tokenCount": 242},
                    {"modality": "IMAGE", "tokenCount": 258},
                    {"modality": "IMAGE", "tokenCount": "x"},
                    "nonsense",
                ],
            },
        }
    )
    reply = read_reply(body)
    assert (reply.text, reply.ending, reply.body) == ("[1]", "STOP", body)
    assert (reply.input_tokens, reply.output_tokens, reply.thought_tokens) == (500, 40, 7)
    assert (reply.cached_tokens, reply.image_tokens) == (100, 258)


@pytest.mark.parametrize(
    ("body", "ending"),
    [
        ({"promptFeedback": {"blockReason": "SAFETY"}}, "PROMPT_BLOCKED_SAFETY"),
        ({"candidates": [{"finishReason": "RECITATION"}]}, "RECITATION"),
        ({"candidates": [{"finishReason": "NEWLY_INVENTED", "content": {}}]}, "NEWLY_INVENTED"),
        ({"candidates": [{"finishReason": "\ud800\nODD"}]}, "ODD"),
        ({}, ""),
        ({"candidates": None, "usageMetadata": None}, ""),
    ],
)
def test_a_blocked_reply_has_no_text_and_says_why(body, ending):
    reply = read_reply(json.dumps(body))
    assert (reply.text, reply.ending) == ("", ending)


@pytest.mark.parametrize(
    "body", ["", '{"candidates": [', "[]", "null", "[" * 100_000 + "]" * 100_000]
)
def test_a_cut_off_body_is_unavailable(body):
    with pytest.raises(Unavailable):
        read_reply(body)


@pytest.mark.parametrize("url", ["nonsense", "ftp://x", "http://", "http://[::1", "http://x:port"])
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(InputError, match="--endpoint"):
        check_base_url(url)


@pytest.mark.parametrize("rest", ["?key=AIza-secret", "?a=b", "#here"])
def test_an_address_ends_with_its_path(rest):
    base = "http://me:word@host"  # pragma: allowlist secret
    with pytest.raises(InputError) as refused:
        check_base_url(f"{base}/v1beta/models/m:generateContent{rest}")
    told = str(refused.value)
    assert "'http://host/v1beta/models/m:generateContent': give it so" in told
    assert rest not in told
    assert "me:word" not in told


async def ask(server, images, key: Key = KEY, *, model="gemini-x", timeout_s=10.0):
    photo = prepare_photo(images / "00" / "00000000.jpg")
    request = PROMPT.request({"item_name": "thing"}, photo.jpeg, photo.longest_px)
    async with (
        server.serving() as url,
        Gemini.connected(connections=2, base_url=url, timeout_s=timeout_s) as gemini,
    ):
        return await gemini.generate(request, key, model)


@pytest.fixture
def images(abo):
    return abo / "images" / "small"


async def test_over_http_a_known_picture_gets_its_answers(rehearsal, images):
    reply = await ask(rehearsal(images), images)
    assert {one["answer"] for one in json.loads(reply.text)} == {"colour0", "thing0", "number0"}
    assert reply.ending == "STOP"
    assert reply.input_tokens > 0


def test_a_connection_says_that_it_is_there_while_a_slow_tier_takes_its_time():
    address = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", 9))
    with lasting_socket(address) as made:
        assert made.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        if hasattr(socket, "TCP_KEEPIDLE"):
            assert made.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) <= 60


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault.INTERNAL, Unavailable),
        (Fault.OVERLOADED, Unavailable),
        (Fault.DEADLINE, Unavailable),
        (Fault.DROPPED, Unanswered),
        (Fault.CUT_BODY, Unanswered),
        (Fault.SLOW, Unanswered),
        (Fault.REGION, ProjectRefused),
        (Fault.BAD_REQUEST, BadRequest),
        (Fault.EXHAUSTED, RateLimited),
        (Fault.QUOTA_UNSAID, RateLimited),
        (Fault.NO_CAPACITY, Unavailable),
        (Fault.NO_CAPACITY_503, Unavailable),
    ],
)
async def test_over_http_each_fault_becomes_its_refusal_after_one_request(
    rehearsal, images, fault, kind
):
    server = rehearsal(images, fault=[{"kind": fault, "every": 1}])
    with pytest.raises(kind) as caught:
        await ask(server, images, timeout_s=0.5 if fault is Fault.SLOW else 10.0)
    assert type(caught.value) is kind
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    assert server.stats()["requests"] == 1


@pytest.mark.parametrize(
    "state", [state for state in RehearsedKeyState if state is not RehearsedKeyState.VALID]
)
async def test_over_http_a_dead_key_is_told_by_its_state_and_stays_secret(rehearsal, images, state):
    of_the_project = {
        RehearsedKeyState.UNPAID: ProjectRefused,
        RehearsedKeyState.DENIED: ProjectRefused,
        RehearsedKeyState.SERVICE_DISABLED: ProjectRefused,
        RehearsedKeyState.CLOSED: ModelRefused,
    }
    dead = {"api_key": SECRET, "state": state}
    with pytest.raises(of_the_project.get(state, InvalidKey)) as caught:
        await ask(rehearsal(images, key=[dead]), images)
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    assert caught.value.__context__ is None


async def test_over_http_a_model_and_a_day_quota_are_named(rehearsal, images):
    with pytest.raises(ModelRefused, match="gemini-y"):
        await ask(rehearsal(images, models=("gemini-x",)), images, model="gemini-y")
    server = rehearsal(images, unlisted_quota={"rpd": 0, "rpm": 5})
    with pytest.raises(NoQuota, match="limit 0"):
        await ask(server, images)


async def test_over_one_session_each_request_goes_to_the_model_that_it_names(rehearsal, images):
    photo = prepare_photo(images / "00" / "00000000.jpg")
    request = PROMPT.request({}, photo.jpeg, photo.longest_px)
    server = rehearsal(images, models=("gemini-x",))
    async with (
        server.serving() as url,
        Gemini.connected(connections=1, base_url=url) as gemini,
    ):
        assert (await gemini.generate(request, KEY, "gemini-x")).model == "gemini-x"
        with pytest.raises(ModelRefused, match="gemini-y"):
            await gemini.generate(request, KEY, "gemini-y")
        assert (await gemini.generate(request, KEY, "gemini-x")).model == "gemini-x"


async def test_over_http_a_form_that_a_model_does_not_know_is_asked_for_once(rehearsal, images):
    photo = prepare_photo(images / "00" / "00000000.jpg")
    request = PROMPT.request({}, photo.jpeg, photo.longest_px)
    server = rehearsal(images, model=[{"name": "gemma", "json_mode": False}])
    async with server.serving() as url:
        async with Gemini.connected(connections=1, base_url=url) as gemini:
            with pytest.raises(FormNotTaken, match="JSON mode is not enabled") as caught:
                await gemini.generate(request, KEY, "gemma")
            assert caught.value.form == "text"
            assert (await gemini.generate(request, KEY, "gemma")).ending == "STOP"
            assert (await gemini.generate(request, KEY, "gemini-x")).ending == "STOP"
        plain = {"gemma": AskedForm.PLAIN}
        async with Gemini.connected(connections=1, base_url=url, forms=plain) as gemini:
            assert (await gemini.generate(request, KEY, "gemma")).ending == "STOP"
    assert server.stats()["requests"] == 4


async def test_a_server_that_is_not_there_was_sent_nothing(images):
    photo = prepare_photo(images / "00" / "00000000.jpg")
    request = PROMPT.request({}, photo.jpeg, photo.longest_px)
    async with Gemini.connected(connections=1, base_url="http://127.0.0.1:9") as gemini:
        with pytest.raises(Unreachable, match="no connection"):
            await gemini.generate(request, KEY, "m")


def test_each_prompt_has_its_version_and_counts_its_tokens():
    versions = {Prompt(5, 1).version, Prompt(10, 1).version, Prompt(10, 2).version}
    assert len(versions) == 3
    assert Prompt(10, 1).version == Prompt(10, 1).version
    long = {f"field{number}": "word " * 200 for number in range(50)}
    request = PROMPT.request(long, b"", 512)
    model, estimates = packaged_models().known("gemini-x"), TokenEstimates(packaged_models().tile)
    largest = estimates.input_tokens(model, PROMPT.largest_measure(512))
    assert estimates.input_tokens(model, request.measure) <= largest
    assert len(request.closing_text) <= 2_000


def test_half_of_the_questions_are_hard():
    assert "exactly 10 questions, 5 of them easy to medium and 5 hard" in Prompt(10, 1).text


def test_pictures_of_the_fixture_differ(images):
    files = sorted(images.rglob("*.jpg"))
    assert len({Image.open(path).tobytes() for path in files}) == len(files) == 12


@given(st.text(), st.binary(), st.text())
def test_a_body_is_json_with_prompt_image_and_data_in_order(prompt_text, image, closing_text):
    request = Request(prompt_text, image, closing_text, 1, ANSWER_SCHEMA)
    body = json.loads(request_body(request))
    encoded = base64.b64encode(image).decode()
    parts = [
        *([{"text": prompt_text}] if prompt_text else []),
        {"inlineData": {"mimeType": "image/jpeg", "data": encoded}},
        *([{"text": closing_text}] if closing_text else []),
    ]
    assert body == {
        "contents": [{"role": "user", "parts": parts}],
        "generationConfig": {
            "responseMimeType": "application/json",
            "responseSchema": dict(ANSWER_SCHEMA.content),
        },
    }


def test_a_body_without_a_picture_is_text_alone():
    request = Request("judge this", None, "red", 0, ANSWER_SCHEMA, temperature=0.0)
    body = json.loads(request_body(request))
    assert body["contents"] == [
        {"role": "user", "parts": [{"text": "judge this"}, {"text": "red"}]}
    ]
    assert body["generationConfig"]["temperature"] == 0
    assert body["generationConfig"]["responseMimeType"] == "application/json"
    assert request.measure.images == 0
