"""The journal of an address: whole lines, each answer once, whatever a killed process left."""

import pytest

from evaluator.endpoints.journal import Asked, Journal, question_key
from shared.errors import InputError

RED = Asked("red", 0.5, input_tokens=300, output_tokens=2, latency_s=0.5, at=10.0, model="vlm")


def test_answers_are_there_for_the_next_process(tmp_path):
    journal = Journal(tmp_path / "asked.jsonl")
    journal.keep("one", RED)
    journal.keep("two", Asked("", failure="400: no"))
    assert Journal(tmp_path / "asked.jsonl").answers == journal.answers
    assert journal.answers["one"] == RED


def test_half_of_a_character_is_kept_as_the_sign_for_none(tmp_path):
    """A server may send it, cut within an emoji; no file takes it."""
    journal = Journal(tmp_path / "asked.jsonl")
    journal.keep("one", Asked("re\ud83d", said="the re\ud83d", answered_by="\ud83d"))
    journal.keep("two", Asked("", failure="500: \udc00"))
    assert Journal(tmp_path / "asked.jsonl").answers == journal.answers
    assert journal.answers["one"].answer == "re\ufffd"


@pytest.mark.parametrize("cut", [1, 20])
def test_a_line_that_was_cut_off_is_no_answer_and_harms_none(tmp_path, cut):
    path = tmp_path / "asked.jsonl"
    Journal(path).keep("one", RED)
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:-cut])
    again = Journal(path)
    assert list(again.answers) == ["one"]
    again.keep("two", RED)
    again.keep("three", RED)
    assert list(Journal(path).answers) == ["one", "two", "three"]


def test_what_is_no_answer_is_named_by_its_line(tmp_path):
    path = tmp_path / "asked.jsonl"
    Journal(path).keep("one", RED)
    path.write_bytes(path.read_bytes() + b"{}\n")
    with pytest.raises(InputError, match="line 2 is no answer"):
        Journal(path)


def test_a_question_differs_by_model_picture_and_text():
    keys = {question_key(*key) for key in [("a", "b", "c"), ("ab", "", "c"), ("a", "bc", "")]}
    assert len(keys) == 3
