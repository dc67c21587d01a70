"""A reply names the id that its request gave the image, in every form that is asked for."""

from __future__ import annotations

import json
from typing import Any

import pytest

from curator.prompts.own_ids import named_id
from tests.curator.rehearsal.batches.calls import request
from tests.curator.rehearsal.conftest import Play

OWN = "abcdefg2"
CLOSING = f"The id of this image is {OWN}. Reply with the fields image_id and pairs."
QUESTION = f"Question: what color is it?\nThe id of this image is {OWN}."
PAIRS = {
    "type": "ARRAY",
    "items": {
        "type": "OBJECT",
        "properties": {"question": {"type": "STRING"}, "answer": {"type": "STRING"}},
    },
}
SCHEMA = {"type": "OBJECT", "properties": {"image_id": {"type": "STRING"}, "pairs": PAIRS}}
ANSWER = {
    "type": "OBJECT",
    "properties": {"image_id": {"type": "STRING"}, "answer": {"type": "STRING"}},
}
PLAIN = {"responseMimeType": "text/plain"}


async def written(play: Play, closing: str, fault: str, config: dict[str, Any]) -> str:
    faults = [{"kind": fault, "at": [1]}] if fault else []
    async with play(fault=faults) as stage:
        body = request(stage.image, closing, **config)
        if closing == QUESTION:
            body["contents"][0]["parts"][0]["text"] = "Answer."
        _, reply = await stage.post(json.dumps(body).encode())
    text: str = reply["candidates"][0]["content"]["parts"][0]["text"]
    return text


@pytest.mark.parametrize("config", [{"responseSchema": SCHEMA}, {}, PLAIN])
@pytest.mark.parametrize("fault", ["", "fenced", "numbered", "trailing_comma", "wrong_count"])
async def test_pairs_come_with_the_id(play: Play, config: dict[str, Any], fault: str):
    text = await written(play, CLOSING, fault, config)
    assert named_id(text) == OWN
    assert "what color is it?" in text


@pytest.mark.parametrize("config", [{"responseSchema": ANSWER}, {}, PLAIN])
async def test_an_answer_comes_with_the_id(play: Play, config: dict[str, Any]):
    text = await written(play, QUESTION, "", config)
    assert json.loads(text) == {"image_id": OWN, "answer": "red"}


async def test_nothing_is_named_where_no_id_was_given(play: Play):
    async with play() as stage:
        reply = await stage.ask()
    assert "image_id" not in reply.text
