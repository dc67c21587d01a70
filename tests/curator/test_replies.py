from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curator.replies import Draft, Unparsable, parse_reply

COLOUR = Draft("What is the colour of the shoe?", "white")
SHAPE = Draft("What shape has its toe?", "pointed")
BOTH = (COLOUR, SHAPE)

WORDS = st.text(st.characters(whitelist_categories=["Ll", "Lu", "Nd"]), min_size=1, max_size=12)
DRAFTS = st.lists(
    st.builds(
        lambda words, answer, level: Draft(f"{' '.join(words)}?", answer, level),
        st.lists(WORDS, min_size=2, max_size=6),
        WORDS,
        st.sampled_from(["easy", "medium", "hard"]),
    ),
    min_size=1,
    max_size=12,
)


def as_json(drafts: list[Draft]) -> str:
    return json.dumps(
        [
            {"question": draft.question, "answer": draft.answer, "difficulty": draft.difficulty}
            for draft in drafts
        ]
    )


@given(st.text() | st.text('[]{}",:?12.-AQ \n\\aq'))
def test_any_text_gives_drafts_or_says_that_it_has_none(text: str) -> None:
    parsed = parse_reply(text)
    if isinstance(parsed, Unparsable):
        assert parsed.detail
    else:
        assert parsed
        assert all(draft.question and draft.answer for draft in parsed)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 50_000, '["' * 50_000, "{}" * 50_000])
def test_hostile_nesting_is_only_unparsable(text: str) -> None:
    assert isinstance(parse_reply(text), Unparsable)


@given(DRAFTS)
def test_structured_output_comes_back_as_it_was(drafts: list[Draft]) -> None:
    assert parse_reply(as_json(drafts)) == tuple(drafts)


@given(DRAFTS)
def test_a_fence_prose_and_a_wrapper_change_nothing(drafts: list[Draft]) -> None:
    text = as_json(drafts)
    assert parse_reply(f"Here you are:\n```json\n{text}\n```\nAnything else?") == tuple(drafts)
    assert parse_reply(f'{{"questions": {text}}}') == tuple(drafts)


@given(DRAFTS, st.data())
def test_of_a_cut_off_reply_the_complete_pairs_are_kept(drafts: list[Draft], data) -> None:
    text = as_json(drafts)
    cut = data.draw(st.integers(0, len(text)))
    parsed = parse_reply(text[:cut])
    whole = () if isinstance(parsed, Unparsable) else parsed
    complete = text[:cut].count("}")
    assert whole[:complete] == tuple(drafts[:complete])


def test_trailing_commas_are_forgiven() -> None:
    text = '[{"question": "What colour is it?", "answer": "red",}, ]'
    assert parse_reply(text) == (Draft("What colour is it?", "red"),)


def test_names_are_read_in_any_case_and_values_of_any_plain_type() -> None:
    text = (
        '[{"Q": "How many legs are there?", "A": 4}, {"Question": "Is it open?", "Answer": true}]'
    )
    assert parse_reply(text) == (
        Draft("How many legs are there?", "4"),
        Draft("Is it open?", "yes"),
    )


@pytest.mark.parametrize(
    "form",
    [
        "{n}. {q} {a}",
        "{n}. {q}\nAnswer: {a}",
        "{n}) {q} - {a}.\n",
        "Q{n}: {q}\nA{n}: {a}",
        "{n}. **{q}** Answer: {a}",
        "**Question {n}:** {q}\n**Answer:** {a}\n",
        "- {q} ({a})",
        "{n}. Question: {q} Answer: {a}",
        "{n}. {q}\n   {a}",
        "{n}. {q} | {a} |",
    ],
)
@pytest.mark.parametrize("before", ["", "Sure, here are two.\n\n"])
def test_lists_of_the_original_prompt_are_read(form: str, before: str) -> None:
    lines = [form.format(n=n, q=one.question, a=one.answer) for n, one in enumerate(BOTH, start=1)]
    assert parse_reply(before + "\n".join(lines)) == BOTH


@pytest.mark.parametrize("text", ["", " \n", "I am sorry, I cannot help with that.", "[]", "null"])
def test_a_reply_without_pairs_is_a_typed_rejection(text: str) -> None:
    assert isinstance(parse_reply(text), Unparsable)
