"""The examples of a prompt file keep its rules, or it cannot be used."""

from __future__ import annotations

import pytest

from curator.judging.examples import read_sound_prompts
from shared.errors import InputError

TEXT = 'text = "{styles} {fields} {examples}"\n'
STYLES = "[styles]\ncount = 0.5\ncolour = 0.5\n"


def read(folder, content, **numbers):
    path = folder / "mine.toml"
    path.write_text(TEXT + content, encoding="utf-8")
    return read_sound_prompts([(path, None)], **numbers)


def example(question, answer, more=""):
    return f'[[examples]]\nquestion = "{question}"\nanswer = "{answer}"\n{more}\n'


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (example("Color?", "red"), "the file's own rule question_length"),
        (example("What is the color?", "dark red"), "word_count (one word)"),
        (example("What is the color?", "unknown"), "rule refusal"),
        (example("What is the red thing?", "red"), "rule answer_in_question"),
        (example("Welche Farbe hat er?", "rot"), "rule language"),
        (example("What is the color?", "?"), "has no word in one of them"),
        (2 * example("What is the color?", "red"), "rule duplicate_question"),
        (STYLES + example("How many legs are there?", "some", 'style = "count"'), "rule style"),
        ('[fields.sure]\ntype = "number"\nrequired = true\n' + example("What is the color?", "red"),
         "rule field"),
    ],
)  # fmt: skip
def test_an_example_that_breaks_a_rule_is_refused_in_one_line(tmp_path, content, told):
    with pytest.raises(InputError, match=r"^[^\n]+$") as refused:
        read(tmp_path, content)
    assert str(refused.value).startswith(f"{tmp_path / 'mine.toml'}: examples: ")
    assert told in str(refused.value)


@pytest.mark.parametrize(
    "content",
    [
        example("What color?", "red") + "[rules]\nquestion_length = false",
        "answer_words = 2\n" + example("What is the color?", "dark red"),
        "questions = 1\n" + example("What is the color?", "red") + example("Where is it?", "left"),
        STYLES + example("How many legs are there?", "four", 'style = "count"'),
        'language = "de"\n' + example("Welche Farbe hat er?", "rot"),
    ],
)
def test_examples_that_keep_the_rules_or_whose_rule_is_off_are_taken(tmp_path, content):
    assert read(tmp_path, content).parts[0].prompt.file.examples


def test_the_length_of_answers_on_the_command_line_counts(tmp_path):
    content = example("What is the color?", "dark red")
    assert read(tmp_path, content, answer_words=2)
    with pytest.raises(InputError, match="word_count"):
        read(tmp_path, "answer_words = 2\n" + content, answer_words=1)


def test_the_default_prompt_needs_no_file():
    assert read_sound_prompts([]).parts
