"""What a chat model's answer is, of all that it says."""

import pytest

from shared.questions.cleaning import cleaned


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("The chair is red.", "red"),
        ("**Red**\n\nIt has four legs.", "Red"),
        ("\n- `red`", "red"),
        ('Answer: "dark red"', "dark red"),
        ("The final answer is: two.", "two"),
        ("Yes, it is.", "Yes"),
        ("No", "No"),
        ("It's wood.", "wood"),
        ("There are 4 legs", "4 legs"),
        ("The colour of the chair's legs is dark brown", "dark brown"),
        ("<think>It may\nbe blue.</think>\n\nRed.", "Red"),
        ("it may be blue</think>red", "red"),
    ],
)
def test_the_answer_is_taken_out_of_what_is_said(said, answer):
    assert cleaned(said) == answer
    assert cleaned(answer) == answer


@pytest.mark.parametrize(
    "said",
    ["dark red", "3.5", "-5", "No parking", "thai food", "chair's", "theatre", "rock 'n' roll"],
)
def test_a_short_answer_stays_as_it_is(said):
    assert cleaned(said) == said


@pytest.mark.parametrize("said", ["", " \n", "...", "<think>The chair"])
def test_nothing_is_said_where_a_model_still_thinks(said):
    assert cleaned(said) == ""


def test_a_long_sentence_is_no_short_answer():
    said = "It is on the left of the table and under the lamp"
    assert cleaned(said + ".") == said
