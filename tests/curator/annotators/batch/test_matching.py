"""A reply of a batch job counts for the image that it names, whatever key it stands under."""

from __future__ import annotations

import json
import random

from hypothesis import given
from hypothesis import strategies as st

from curator.annotators.batch.lines import request_line, result_lines
from curator.annotators.batch.matching import matched
from curator.prompts.own_ids import named_id, naming, own_id
from curator.prompts.prompt import Prompt
from shared.endpoints.protocols.gemini_wire import request_body
from shared.endpoints.refusals.refusal import FormNotTaken, Unavailable
from shared.program.reporting.secret_mask import SecretMask

MASK = SecretMask(["AIzaSyKeyNumberOne001"])
IDS = {str(number): own_id(b"jpeg %d" % number, 1, number) for number in range(1, 9)}


def row(key: str, text: str) -> str:
    candidate = {"content": {"parts": [{"text": text}]}, "finishReason": "STOP"}
    usage = {"promptTokenCount": 7, "candidatesTokenCount": 3}
    return json.dumps({"key": key, "response": {"candidates": [candidate], "usageMetadata": usage}})


def reply_to(key: str) -> str:
    return json.dumps({"image_id": IDS[key], "pairs": [{"question": f"q{key}", "answer": "a"}]})


def read(*rows: str):
    return matched(result_lines("\n".join(rows).encode(), MASK), IDS)


def test_an_id_is_good_for_one_request_and_tells_nothing():
    assert len({*IDS.values()}) == len(IDS)
    assert own_id(b"same", 1, 1) != own_id(b"same", 1, 2) != own_id(b"same", 2, 2)
    assert own_id(b"one", 1, 1) != own_id(b"another", 1, 1)
    assert all(len(own) == 8 and own.isalnum() and own.islower() for own in IDS.values())


@given(st.permutations(list(IDS)), st.permutations(list(IDS)))
def test_results_in_any_order_and_under_any_key_find_their_requests(order, keys):
    found = read(*(row(key, reply_to(own)) for own, key in zip(order, keys, strict=True)))
    assert {key: f"q{key}" in reply.text for key, reply in found.replies.items()} == dict.fromkeys(
        IDS, True
    )
    assert found.put_right == sum(own != key for own, key in zip(order, keys, strict=True))
    assert (found.nameless, found.refusals, found.missing, found.surplus) == ({}, {}, [], 0)


def test_a_reply_that_names_nobody_is_believed_for_nobody_and_paid():
    of_another_job = json.dumps({"image_id": own_id(b"x", 1, 99), "pairs": []})
    found = read(row("1", of_another_job), row("2", "[]"), row("3", reply_to("4")), row("9", "[]"))
    assert {*found.replies} == {"4"}
    assert {*found.nameless} == {"1", "2"}
    assert found.missing == ["3", "5", "6", "7", "8"]
    assert (found.put_right, found.surplus) == (1, 1)
    assert all(reply.input_tokens == 7 for reply in found.nameless.values())


def test_what_comes_twice_counts_once():
    found = read(*(row(key, reply_to(key)) for key in [*IDS, "3"]), row("9", "none"))
    assert {*found.replies} == {*IDS}
    assert (found.surplus, found.put_right, found.missing) == (2, 0, [])


def test_errors_and_lines_that_are_none_come_in_place_of_replies():
    form = {"code": 3, "message": "JSON mode is not enabled for this model"}
    found = read(
        json.dumps({"key": "1", "error": form}),
        json.dumps({"key": "2", "response": {}, "error": {"code": 13, "message": "INTERNAL"}}),
        json.dumps({"key": "3"}),
        '{"key": "4", "respo',
        "",
        "[1, 2]",
        json.dumps({"key": "nobody", "error": form}),
        row("1", reply_to("1")),
    )
    assert {*found.replies} == {"1"}
    assert {key: type(told) for key, told in found.refusals.items()} == {
        "2": Unavailable,
        "3": Unavailable,
    }
    assert found.missing == ["4", "5", "6", "7", "8"]
    found = read(json.dumps({"key": "1", "error": form}))
    assert isinstance(found.refusals["1"], FormNotTaken)


def test_no_key_of_the_api_stays_in_what_is_kept():
    secret = "AIzaSyKeyNumberOne001"
    text = json.dumps({"image_id": IDS["1"], "pairs": [secret]})
    found = read(row("1", text), json.dumps({"key": "2", "error": {"message": f"bad {secret}"}}))
    assert secret not in found.replies["1"].body
    assert secret not in found.refusals["2"].reason


@given(st.binary(max_size=300))
def test_any_file_is_read(content):
    found = matched(result_lines(content, MASK), IDS)
    assert sorted({*found.replies, *found.nameless, *found.refusals, *found.missing}) == [*IDS]


def test_a_reply_names_its_image_in_whatever_form_it_comes():
    own = IDS["1"]
    for text in (
        reply_to("1"),
        json.dumps({"pairs": [], "image_id": f" {own.upper()} "}),
        f"```json\n{reply_to('1')}\n```",
        reply_to("1")[:25],
        f"image_id: {own}\n1. Question: what colour is it? Answer: red",
        f"**image_id** = `{own}`",
    ):
        assert named_id(text) == own, text
    for text in ("", "null", "3", "[]", own, json.dumps({"image_id": 3}), json.dumps({"id": own})):
        assert named_id(text) == "", text


def test_each_request_asks_for_its_id_and_stands_in_one_line():
    prompt = Prompt(3, 1)
    picture = random.Random(1).randbytes(500)
    for request, field in (
        (prompt.request({"colour": "red\nor blue"}, picture, 256), "pairs"),
        (prompt.request({}, picture, 256), "pairs"),
        (prompt.question_request("What is it?", picture, 256), "answer"),
    ):
        asked = naming(request, "abcdefgh")
        assert asked.prompt_text == request.prompt_text
        assert asked.measure.questions == request.questions
        line = request_line("17", request_body(asked))
        assert line.count(b"\n") == 1
        assert line.endswith(b"\n")
        content = json.loads(line)
        assert content["key"] == "17"
        *_, closing = content["request"]["contents"][0]["parts"]
        assert "The id of this image is abcdefgh." in closing["text"]
        schema = content["request"]["generationConfig"]["responseSchema"]
        assert schema["required"] == schema["propertyOrdering"] == ["image_id", field]
        assert {*schema["properties"]} == {"image_id", field}
