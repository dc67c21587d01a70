"""Questions in other words, by the rules of their language."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.robustness.rephrasing import rephrased


@pytest.mark.parametrize(
    ("question", "other"),
    [
        ("What color are the laces?", "What is the color of the laces?"),
        ("what shape is the lamp", "what is the shape of the lamp"),
        ("What is the number of legs", "How many legs are there"),
        ("How many straps are visible?", "What number of straps are visible?"),
        ("What material is the sole made of?", "What is the sole made of?"),
        ("What type of heel does the shoe have", "What kind of heel does the shoe have"),
        ("What is the main color of the rug?", "What is the rug's main color?"),
        ("what is the shape of the ear studs", "what is the ear studs' shape"),
        ("what is the gift box's height", "what is the height of the gift box"),
        (
            "What is the color of the box on the left?",
            "Tell me what the color of the box on the left is.",
        ),
        ("How many are there?", "Tell me: how many are there?"),
        ("What is the man wearing?", "Tell me: what is the man wearing?"),
        ("What is the bag used for?", "Tell me: what is the bag used for?"),
        ("Where is the label sewn to?", "Tell me: where is the label sewn to?"),
        ("What is the shoe's sole made of?", "What material is the shoe's sole made of?"),
        ("What is the woman's hand holding?", "Tell me: what is the woman's hand holding?"),
        ("What is the closure type?", "Tell me what the closure type is."),
        ("Is there a zip?", "Do you see a zip?"),
        ("Does the mat have a border?", "Tell me: does the mat have a border?"),
        ("Welche Farbe hat die Lampe?", "Was für eine Farbe hat die Lampe?"),
        ("Welches Muster hat das Kissen?", "Was für ein Muster hat das Kissen?"),
        ("Aus welchem Material besteht der Tisch?", "Woraus besteht der Tisch?"),
        ("Ist der Deckel offen", "Sag mir: ist der Deckel offen"),
        ("जूते का रंग क्या है?", "जूते का रंग कौन सा है?"),
        ("क्या यह खुला है?", "बताइए, क्या यह खुला है?"),
    ],
)
def test_a_question_is_put_in_other_words_of_its_language(question, other):
    assert rephrased(question) == other


@pytest.mark.parametrize("question", ["Quelle est la couleur ?", "row 3", "?", "das"])
def test_what_no_rule_knows_is_not_put_in_other_words(question):
    assert rephrased(question) is None


@given(st.text(alphabet="what is the color of? क्या Wie das\n", max_size=40))
def test_other_words_are_other_words_whatever_was_asked(question):
    other = rephrased(question)
    assert other is None or (other.strip() and other != question)
