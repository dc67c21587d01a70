"""What a canary asks for, and what its answer is compared with."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from curator.campaign.canaries.jobs import canary_job
from curator.judging.agreeing.listing_map import packaged_map
from curator.ledger import CanaryItem, WorkState
from curator.prompts.prompt import Prompt
from curator.prompts.prompts import Prompts
from shared.endpoints.image_encoding import Photo
from shared.endpoints.models.known import packaged_models
from shared.endpoints.protocols.annotator import Reply
from shared.endpoints.protocols.gemini_wire import request_body
from shared.records import ImageRef, Listing

ITEM = CanaryItem(
    3, Listing("L3", ImageRef("i3", "3.jpg"), {}), 0, "what colour?", "m", "2026-01-02", "Red."
)
PROMPTS = Prompts.alone(Prompt(10, 1))
PHOTO = Photo(b"jpeg", 64)


@pytest.mark.parametrize("takes_temperature", [True, False])
def test_the_question_is_asked_alone_and_coldly_where_the_model_takes_that(takes_temperature):
    job = canary_job(ITEM, "m", takes_temperature=takes_temperature)
    body = json.loads(request_body(job.request(PHOTO, PROMPTS)))
    assert body["generationConfig"].get("temperature") == (0.0 if takes_temperature else None)
    text = json.dumps(body)
    assert "what colour?" in text
    assert "Red" not in text
    usual = json.loads(request_body(Prompt(10, 1).question_request("what colour?", b"jpeg", 64)))
    body["generationConfig"].pop("temperature", None)
    assert body == usual


def test_models_of_which_temperature_is_deprecated_are_sent_none():
    known = packaged_models().known
    taken = {
        name: known(name).takes_temperature
        for name in ("gemini-3.5-flash", "gemini-3.6-flash", "gemini-3.8-flash", "unheard-of")
    }
    assert taken == {
        "gemini-3.5-flash": True,
        "gemini-3.6-flash": False,
        "gemini-3.8-flash": False,
        "unheard-of": True,
    }


@pytest.mark.parametrize(
    ("first", "state", "is_equal"),
    [
        ("Red.", WorkState.DONE, True),
        ("blue", WorkState.DONE, False),
        (None, WorkState.DONE, None),
        ("Red.", WorkState.DEAD, None),
        ("Red.", WorkState.PENDING, None),
    ],
)
def test_an_answer_is_compared_normalised_with_the_first_where_both_are_there(
    first, state, is_equal
):
    job = canary_job(replace(ITEM, first_answer=first), "m", takes_temperature=True)
    reply = Reply("", '{"answer": "red"}', "STOP", 1, 1, 0)
    change = job.change(1, state, 0, judgement=job.judged(reply, PROMPTS, packaged_map()))
    assert change.is_equal is is_equal
