"""Fields that a model may refuse: left out for it, and for no other."""

import pytest

from shared.endpoints.protocols.optional_fields import OptionalFields
from shared.endpoints.request import NO_SCHEMA, Request

REQUEST = Request("", b"", "what?", 64, NO_SCHEMA, temperature=0.0, most_output_tokens=9)
ALL = {"temperature": 0.0, "max_tokens": 9, "logprobs": True}


@pytest.fixture
def fields():
    return OptionalFields({}, wants_logprobs=True)


def test_each_is_asked_until_a_model_refuses_it(fields):
    assert fields.of(REQUEST, "one") == ALL
    assert fields.refused(ALL, "one", "logprobs are not supported") == "logprobs=True"
    assert fields.of(REQUEST, "one") == {"temperature": 0.0, "max_tokens": 9}
    assert fields.of(REQUEST, "other") == ALL


def test_the_limit_goes_by_its_newer_name_before_it_goes(fields):
    assert fields.refused(ALL, "one", "Unsupported parameter: 'max_tokens'")
    renamed = fields.of(REQUEST, "one")
    assert renamed["max_completion_tokens"] == 9
    assert "max_tokens" not in renamed
    assert fields.refused(renamed, "one", "unknown field max_completion_tokens")
    assert set(fields.of(REQUEST, "one")) == {"temperature", "logprobs"}


def test_who_was_refused_meanwhile_learns_of_it_too(fields):
    for _ in range(3):
        assert fields.refused(ALL, "one", "logprobs are not supported") == "logprobs=True"


@pytest.mark.parametrize("reason", ["no images here", "max_tokens is too large: 9", ""])
def test_what_is_about_something_else_leaves_all_as_it_is(fields, reason):
    assert fields.refused(ALL, "one", reason) == ""
    assert fields.of(REQUEST, "one") == ALL


def test_the_users_own_fields_stay():
    fields = OptionalFields({"temperature": 0.7}, wants_logprobs=False)
    assert fields.refused({"temperature": 0.0}, "one", "no temperature here") == ""
    assert fields.further == {"temperature": 0.7}
