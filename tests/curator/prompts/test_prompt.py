"""What a prompt asks, and its version, by which campaigns of old ledgers go on."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curator.prompts.prompt import Prompt, with_numbers
from curator.prompts.prompt_file import default_text, read_prompt_file
from curator.prompts.prompts import Prompts, prompts_from
from curator.prompts.shares import allotted, chosen
from shared.endpoints.protocols.chat_completions import json_schema

STYLES = """
[styles]
colour = 0.5
yes_no = 0.3
unanswerable = 0.2
"""


DUTCH = """
[language]
name = "Dutch"
yes = ["ja"]
no = ["nee"]
unknown = "?"
unanswerable = "x"
folded = { "\u0133" = "ij" }
numbers = { twee = 2 }
"""


@pytest.fixture
def prompt(tmp_path):
    """Read a prompt file; its numbers are three words and ten questions."""

    def read(content: str, questions: int = 10) -> Prompt:
        path = tmp_path / "prompt.toml"
        path.write_text(content, encoding="utf-8")
        return with_numbers(read_prompt_file(path), questions, 3)

    return read


@pytest.mark.parametrize(
    ("questions", "words", "version"),
    [
        (10, 1, "1-47030eff"),
        (3, 1, "1-f35061b3"),
        (10, 2, "1-64308ccd"),
        (5, 20, "1-581bca6f"),
    ],
)
def test_the_default_prompt_is_that_of_ledgers_made_before_there_were_files(
    questions, words, version, tmp_path
):
    assert Prompt(questions, words).version == version
    path = tmp_path / "mine.toml"
    path.write_text(default_text(), encoding="utf-8")
    assert with_numbers(read_prompt_file(path), questions, words).version == version


def test_the_default_request_is_as_it_was():
    request = Prompt(3, 1).request({"item_name": "Oak stool", "none": "", "color": "brown"}, b"", 9)
    assert "Write exactly 3 questions, 2 of them easy to medium and 1 hard." in request.prompt_text
    assert request.prompt_text.endswith(
        "- Write in English.\nReply with a JSON array of objects with the fields question, answer "
        "and difficulty (easy, medium or hard)."
    )
    assert request.closing_text == "Catalogue data:\nitem_name: Oak stool\ncolor: brown"
    assert Prompt(3, 1).request({"color": ""}, b"", 9).closing_text == ""


def test_whatever_is_changed_makes_another_campaign(prompt):
    files = [
        "answer_words = 2",
        'language = "de"',
        'context = ""',
        'question_text = "Answer in {words}."',
        "[rules]\nrefusal = false",
        "[rules.question_length]\nwords = 4",
        f'text = "{{styles}}"\n{STYLES}',
        'text = "{fields}"\n[fields.sure]\ntype = "number"',
        'text = "{fields}"\n[fields.sure]\ntype = "integer"',
    ]
    versions = {prompt(content).version for content in files[1:]} | {Prompt(10, 3).version}
    assert len(versions) == len(files)
    assert prompt(files[0]).version != prompt(files[1]).version
    assert all(version.startswith(("1-", "2-")) for version in versions)


def test_fields_styles_and_examples_are_told_and_are_part_of_the_schema(prompt):
    made = prompt(
        """
        text = '''
        Ask {questions}, {words}.
        {styles}
        {examples}
        Fields: {fields}.'''
        """
        + STYLES
        + """
        [fields.sure]
        type = "number"
        about = "from 0 to 1"
        [fields.view]
        type = "choice"
        choices = ["front", "side"]
        [[examples]]
        question = "Is it on?"
        answer = "no"
        style = "yes_no"
        fields = { sure = 0.5, view = "front" }
        """
    )
    request = made.request({}, b"", 9, image="a.jpg")
    text = request.prompt_text
    assert "Fields: question, answer, style, sure (a number: from 0 to 1) and view (" in text
    assert '  {"question": "Is it on?", "answer": "no", "style": "yes_no", "sure": 0.5' in text
    assert "  - 5 colour: the colour of the product" in text
    properties = request.schema.content["items"]["properties"]
    assert list(properties) == ["question", "answer", "style", "sure", "view"]
    assert properties["style"]["enum"] == ["colour", "yes_no", "unanswerable"]
    pair = json_schema(request.schema)["properties"]["question_answer_pairs"]["items"]
    assert pair["properties"]["sure"] == {"type": "number"}
    assert pair["properties"]["view"] == {"type": "string", "enum": ["front", "side"]}
    assert pair["required"] == list(properties)


def test_an_image_is_always_asked_the_same_and_images_together_have_their_shares(prompt):
    made = prompt('text = "{styles}"' + STYLES, questions=3)
    counts, yes = Counter(), Counter()
    for number in range(2_000):
        asked = made.asked(f"{number}.jpg")
        assert asked == made.asked(f"{number}.jpg")
        assert sum(count for _, count in asked.styles) == 3
        counts.update(dict(asked.styles))
        yes.update(yes=asked.yes, no=dict(asked.styles).get("yes_no", 0) - asked.yes)
    assert counts["colour"] / 6_000 == pytest.approx(0.5, abs=0.01)
    assert counts["yes_no"] / 6_000 == pytest.approx(0.3, abs=0.01)
    assert counts["unanswerable"] / 6_000 == pytest.approx(0.2, abs=0.01)
    assert yes["yes"] / (yes["yes"] + yes["no"]) == pytest.approx(0.5, abs=0.03)


@given(
    st.lists(st.floats(0.01, 1), min_size=1, max_size=8),
    st.integers(1, 50),
    st.floats(0, 1, exclude_max=True),
)
def test_each_share_is_within_one_of_its_due_and_nothing_is_left_over(weights, count, place):
    shares = {str(number): weight / sum(weights) for number, weight in enumerate(weights)}
    counts = allotted(shares, count, place)
    assert sum(counts.values()) == count
    for name, share in shares.items():
        assert abs(counts.get(name, 0) - share * count) < 1 + 1e-9
    assert chosen(list(shares.items()), place) in shares


def test_a_field_of_the_listing_stands_where_the_prompt_names_it(prompt):
    made = prompt(
        'text = "A {listing.item_name} in {listing.Color|some colour}, {{so}}."\ncontext = ""'
    )
    texts = [
        made.request(listing, b"", 9).prompt_text
        for listing in ({"item_name": "Stool", "color": "red"}, {"Item_Name": "Lamp"})
    ]
    assert texts == ["A Stool in red, {so}.", "A Lamp in some colour, {so}."]
    long = made.request({"item_name": "x" * 9_000, "color": "y" * 9_000}, b"", 512)
    assert long.measure.characters <= made.largest_measure(512).characters


def test_a_question_goes_back_in_the_language_of_the_prompt(prompt):
    request = prompt('language = "hi"').question_request("यह क्या है?", b"", 9)
    assert "at most 3 words" in request.prompt_text
    assert (
        'in Hindi.\n- Where the image does not tell, the answer is "अज्ञात"' in request.prompt_text
    )


@pytest.mark.parametrize(
    "content",
    [
        "",
        'text = "{styles}"' + STYLES,
        "[rules]\nquestion_length = false",
        DUTCH,
        '[[examples]]\nquestion = "Is it on?"\nanswer = "no"',
    ],
)
def test_prompts_come_back_from_the_ledger_as_they_were(prompt, content):
    made = Prompts.alone(prompt(content))
    stored = json.loads(json.dumps(made.plain(), ensure_ascii=False))
    again = prompts_from(stored, "ledger")
    assert again.plain() == made.plain()
    assert again.version == made.version == stored[0]["version"]
