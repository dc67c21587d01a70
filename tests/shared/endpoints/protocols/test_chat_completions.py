"""What a chat completion says, whatever a server writes into it."""

import json

import pytest

from shared.endpoints.protocols.chat_completions import messages, read_completion
from shared.endpoints.request import NO_SCHEMA, Request


@pytest.mark.parametrize(
    ("told", "known"),
    [
        ([-0.5, -0.25], -0.75),
        ([0.5], 0.0),
        ([-9999.0], -9999.0),
        ([float("nan")], None),
        ([-0.5, None], None),
        ([], None),
    ],
)
def test_a_probability_is_that_of_all_tokens_or_not_known(told, known):
    """A server that computes in low precision may write NaN, which is no certainty."""
    tokens = [{"token": "red", "logprob": value} for value in told]
    choice = {"message": {"content": "red"}, "logprobs": {"content": tokens}}
    assert read_completion(json.dumps({"choices": [choice]})).log_probability == known


def test_a_message_without_a_picture_is_text_alone():
    [message] = messages(Request("judge this", None, "red", 0, NO_SCHEMA))
    assert message["content"] == [
        {"type": "text", "text": "judge this"},
        {"type": "text", "text": "red"},
    ]
