"""What a question's mark, case, white space and spelling may not decide."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InputError
from shared.onnx_vqa.words import fold as fold_in_a_bundle
from shared.questions.folding import (
    AS_IT_COMES,
    ASKED,
    BARE,
    FOLDING_FILE,
    FoldingName,
    QuestionFolding,
    read_folding,
    spellings,
    write_folding,
)
from shared.questions.prior import QuestionPrior
from shared.questions.types import question_type
from shared.records import QAPair
from trainer.export.families.questions import question_rules

ALIKE = (
    "What is the main color of the chair's armor",
    "What is the main colour of the chair's armour?",
    "  what is the MAIN  Colour of\tthe chair\u2019s armour ?? ",
    "what is the main color of the chair's armor\uff1f",
    "WHAT IS THE MAIN COLOUR OF THE CHAIR'S ARMOUR.",
)
ONLY_LOOK_BRITISH = (
    "contour velour hour four tour glamour paramour acre lucre mediocre ogre exercise rise wise "
    "advertise merchandise surprise size disguise franchise premise tissue dialogue disc axe "
    "fulfilling controlled propelled expelled balled rolled spelled welled colouredness"
)


@pytest.mark.parametrize("question", ALIKE)
def test_a_mark_a_case_a_space_and_a_spelling_are_folded_away(question):
    assert BARE.fold(question) == "what is the main color of the chair's armor"
    assert ASKED.fold(question) == "what is the main color of the chair's armor?"
    assert AS_IT_COMES.fold(question) == question


def test_words_that_only_look_british_stay():
    assert BARE.fold(ONLY_LOOK_BRITISH) == ONLY_LOOK_BRITISH


def test_parts_of_a_word_and_of_a_compound():
    assert BARE.fold("the multi-coloured, grey-blue jewellery catalogue") == (
        "the multi-colored, gray-blue jewelry catalog"
    )
    # A name of something else begins alike.
    assert BARE.fold("what is on the colourpop tin") == "what is on the colourpop tin"


def test_the_table_folds_once():
    table = spellings()
    assert not set(table) & set(table.values())
    assert all(word.isascii() and word.islower() for pair in table.items() for word in pair)


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=60))
def test_a_folded_question_stays_and_a_bundle_folds_alike(text):
    for folding in (AS_IT_COMES, BARE, ASKED):
        folded = folding.fold(text)
        assert folding.fold(folded) == folded
        assert fold_in_a_bundle(text, question_rules(folding)) == folded


def test_a_record_is_read_as_it_was_written(tmp_path):
    assert read_folding(tmp_path) == AS_IT_COMES
    for folding in (BARE, ASKED):
        write_folding(folding, tmp_path)
        assert read_folding(tmp_path) == folding
    write_folding(AS_IT_COMES, tmp_path)
    assert not (tmp_path / FOLDING_FILE).exists()


@pytest.mark.parametrize("record", [{"name": "bare", "version": 2}, {"name": ["bare"]}, {}])
def test_a_record_that_is_not_known_is_refused(tmp_path, record):
    (tmp_path / FOLDING_FILE).write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(InputError, match="install a newer one"):
        read_folding(tmp_path)


def test_name_and_version_say_which_it_is():
    assert str(QuestionFolding(FoldingName.BARE)) == "bare 1"
    assert str(AS_IT_COMES) == "none"


def test_the_prior_guesses_alike_however_a_question_is_spelled():
    prior = QuestionPrior.fit(
        [
            QAPair("1", "What is the colour of the armour?", "red", "a.jpg"),
            QAPair("2", "What is the size", "big", "b.jpg"),
            QAPair("3", "What is the size", "big", "c.jpg"),
        ]
    )
    assert prior.answer("what is the color of the armor") == "red"
    assert prior.answer("What is the COLOUR of the armour") == "red"


@pytest.mark.parametrize(
    ("british", "american"),
    [
        ("what colours are there?", "what colors are there"),
        ("which part is coloured", "which part is colored"),
        ("how is it labelled", "how is it labeled"),
    ],
)
def test_a_question_has_one_type_in_both_spellings(british, american):
    assert question_type(british) == question_type(american) != "other"
