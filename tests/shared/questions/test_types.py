"""Question types on questions as annotators write them."""

from pathlib import Path

import pytest

from shared.corpus import read_pairs
from shared.questions.types import (
    question_type,
    question_types,
    type_rules,
    type_shares,
    typed_languages,
)

ABO = Path(__file__).parents[4] / "shared" / "abo"


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("What is the main color of the shoe", "colour"),
        ("what colour is the circle?", "colour"),
        ("How many legs does the bed have", "count"),
        ("What is the number of drawers", "count"),
        ("What material is the bed frame made of", "material"),
        ("What is the frame made of", "material"),
        ("What is the shape of the headboard", "shape"),
        ("what shape is present?", "shape"),
        ("Is there a red shape?", "yes/no"),
        ("does the image contain a circle?", "yes/no"),
        ("Is the binder open or closed", "choice"),
        ("What type of heel does the shoe have", "object"),
        ("What is this?", "object"),
        ("What is written on the case", "text"),
        ("What pattern is on the rug", "look"),
        ("What is the height of the boot", "size"),
        ("Where is the logo placed", "place"),
        ("Where is the handle in the picture?", "place"),
        ("Where is the red leather strap?", "place"),
        ("Where are the four wheels?", "place"),
        ("On which side is the label?", "place"),
        ("What is the position of the lemur", "place"),
        ("What is placed on top of the round ottoman", "object"),
        ("What type of floor is the rug placed on", "object"),
        ("What is the setting where the curtain is shown", "state"),
        ("How are the towels arranged", "state"),
        ("What is attached to the zipper", "object"),
        ("What platform is shown", "other"),
        ("Welche Farbe hat der Stuhl?", "colour"),
        ("Was ist die Hauptfarbe des Produkts?", "colour"),
        ("Wie viele Beine hat er?", "count"),
        ("Wie viele Knöpfe sind zu sehen?", "count"),
        ("Aus welchem Material besteht der Rahmen?", "material"),
        ("Woraus ist der Tisch gemacht?", "material"),
        ("Welche Form hat die Lehne?", "shape"),
        ("Ist der Tisch rund?", "yes/no"),
        ("Hat der Stuhl Armlehnen?", "yes/no"),
        ("Ist die Tür offen oder geschlossen?", "choice"),
        ("Welches Muster hat der Teppich?", "look"),
        ("Wie hoch ist der Absatz?", "size"),
        ("Was steht auf dem Etikett?", "text"),
        ("Welches Wort ist auf der Tasse geschrieben?", "text"),
        ("Wo befindet sich der Griff?", "place"),
        ("Wo ist die rote Lederschlaufe?", "place"),
        ("Auf welcher Seite ist das Etikett?", "place"),
        ("In welcher Lage ist der Griff?", "place"),
        ("Welche Art von Absatz hat der Schuh?", "object"),
        ("Was ist das?", "object"),
        ("Wozu dient der Gegenstand?", "object"),
        ("Was liegt auf dem Tisch?", "object"),
        ("Warum ist der Stuhl drehbar?", "other"),
        ("Gibt es eine rote Form?", "yes/no"),
        ("In welche Richtung zeigt die Spitze?", "state"),
        ("Welche Plattform ist zu sehen?", "other"),
        ("इस कुर्सी का मुख्य रंग क्या है?", "colour"),
        ("कितने पैर दिखाई दे रहे हैं?", "count"),
        ("क्या यहाँ हैंडल दिखाई देता है?", "yes/no"),
        ("क्या बड़ा है, मेज़ या कुर्सी?", "choice"),
        ("यह किस सामग्री से बना है?", "material"),
        ("मेज़ किससे बनी है?", "material"),
        ("मेज़ का आकार क्या है?", "shape"),
        ("कालीन पर कौन सा पैटर्न है?", "look"),
        ("एड़ी कितनी ऊँची है?", "size"),
        ("कप पर क्या लिखा है?", "text"),
        ("हैंडल कहाँ है?", "place"),
        ("लाल पट्टा कहाँ है?", "place"),
        ("दरवाज़ा खुला है या बंद?", "state"),
        ("यह किस प्रकार का जूता है?", "object"),
        ("यह क्या है?", "object"),
        ("क्या लिखा है इस कप पर?", "text"),
        ("तस्वीर में कितनी कुर्सियाँ हैं?", "count"),
        ("यह ऐसा क्यों है?", "other"),
    ],
)
def test_types(question, expected):
    assert question_type(question) == expected


def test_questions_of_all_languages_have_the_same_types():
    known = {rules.language: {name for name, _ in rules.types} for rules in type_rules()}
    assert set(typed_languages().values()) == set(known) == {"English", "German", "Hindi"}
    assert all(names == set(question_types()) - {"other"} for names in known.values())


def test_a_word_of_another_language_in_it_makes_no_question_of_that_language():
    assert question_type('Is there a poster that says "Das Boot ist voll"?') == "yes/no"
    assert question_type("Was the material of the die cast?") == "yes/no"
    assert question_type("Was steht auf dem Logo der Tasse?") == "text"


def test_every_type_is_listed_and_shares_count_what_no_rule_fits():
    assert question_types()[-1] == "other"
    assert len(set(question_types())) == len(question_types())
    assert type_shares(["How many", "Why", "what color", "Who"])["other"] == 0.5
    assert type_shares([]) == {}


@pytest.mark.abo
@pytest.mark.skipif(not ABO.is_dir(), reason="the ABO sample is not in ../shared/abo")
def test_the_rules_cover_what_annotators_ask_about_products():
    questions = [pair.question for pair in read_pairs(ABO / "vqa.csv")]
    assert type_shares(questions).get("other", 0.0) < 0.01
