from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curator.catalog import Skipped, open_catalog
from curator.judging.agreeing.agreement import Agreement, agreement
from curator.judging.agreeing.listing_map import packaged_map
from curator.judging.drafts import Draft
from curator.judging.rules import Rule, validate
from curator.prompts.prompt_file import default_prompt
from shared.corpus import read_pairs

ABO_SAMPLE = Path(__file__).parents[5] / "shared" / "abo"

SHOE = {
    "item_name": "Kitten heel court",
    "product_type": "SHOES",
    "color": "Navy Blue",
    "material": "suede",
}


@pytest.mark.parametrize(
    ("question", "answer", "expected"),
    [
        ("What is the main color of the shoe?", "blue", Agreement.AGREES),
        ("What is the colour of the shoes?", "Indigo", Agreement.AGREES),
        ("What color is the shoe?", "red", Agreement.DISAGREES),
        ("What color is the sole?", "red", Agreement.UNKNOWN),
        ("What color is the sole of the shoe?", "red", Agreement.UNKNOWN),
        ("What is the main color of the sole?", "red", Agreement.UNKNOWN),
        ("What is the main color of the heel?", "red", Agreement.UNKNOWN),
        ("What is the secondary color of the shoe?", "red", Agreement.UNKNOWN),
        ("What is the shoe's main color?", "red", Agreement.DISAGREES),
        ("What is the sole's main color?", "red", Agreement.UNKNOWN),
        ("What is the main color of the shoe's lining?", "red", Agreement.UNKNOWN),
        ("What is the dominant metal color?", "red", Agreement.UNKNOWN),
        ("What is the dominant color shown?", "red", Agreement.DISAGREES),
        ("What is the overall color of the product?", "red", Agreement.DISAGREES),
        ("What color are the stripes on the shoe?", "red", Agreement.UNKNOWN),
        ("What is the main color of the shoe?", "espresso", Agreement.UNKNOWN),
        ("What is the primary material?", "leather", Agreement.AGREES),
        ("What is the shoe made of?", "canvas", Agreement.DISAGREES),
        ("What are the laces made of?", "cotton", Agreement.UNKNOWN),
        ("What type of product is shown?", "sandal", Agreement.AGREES),
        ("What type of product is shown?", "lamp", Agreement.DISAGREES),
        ("What type of product is shown?", "gadget", Agreement.UNKNOWN),
        ("How many shoes are shown?", "two", Agreement.UNKNOWN),
    ],
)
def test_an_answer_is_compared_with_what_the_listing_knows(question, answer, expected):
    assert agreement(Draft(question, answer), SHOE) is expected


@pytest.mark.parametrize("colour", ["", "assorted", "espresso"])
def test_a_listing_that_knows_nothing_says_nothing(colour):
    draft = Draft("What is the main color of it?", "red")
    assert agreement(draft, {"color": colour}) is Agreement.UNKNOWN
    assert agreement(draft, {}) is Agreement.UNKNOWN


def test_columns_of_a_csv_may_be_in_any_case():
    draft = Draft("What is the main color of it?", "red")
    assert agreement(draft, {" Color": "crimson"}) is Agreement.AGREES


def test_a_pair_that_disagrees_is_kept_and_marked():
    drafts = [
        Draft("What is the main color of it?", "red"),
        Draft("What is it not?", "n/a"),
        Draft("What is the primary material of it?", "suede"),
    ]
    verdict = validate(drafts, answer_words=1, metadata=SHOE)
    assert verdict.accepted == (drafts[0], drafts[2])
    assert verdict.agreements == (Agreement.DISAGREES, Agreement.AGREES)


@given(st.text(), st.text(), st.dictionaries(st.text(), st.text()))
def test_any_text_has_a_verdict(question, answer, metadata):
    assert agreement(Draft(question, answer), metadata) in Agreement


@pytest.mark.abo
def test_on_the_sample_few_answers_disagree_and_no_english_is_refused():
    if not ABO_SAMPLE.is_dir():
        pytest.skip("the ABO sample is not in ../shared/abo")
    listings = open_catalog(ABO_SAMPLE, None).listings(Skipped())
    metadata = {one.image.path: one.metadata for one in listings}
    drafts = defaultdict(list)
    for pair in read_pairs(ABO_SAMPLE / "vqa.csv"):
        drafts[pair.filename].append(Draft(pair.question, pair.answer))
    told, rules = Counter(), Counter()
    for filename, of_image in drafts.items():
        verdict = validate(of_image, answer_words=1, most=5, metadata=metadata.get(filename, {}))
        told.update(verdict.agreements)
        rules.update(one.rule for one in verdict.rejected)
    # Looked at by eye: what disagrees still is mostly a listing or an answer that is wrong.
    known = told[Agreement.AGREES] + told[Agreement.DISAGREES]
    assert known > 5_000
    assert told[Agreement.DISAGREES] / known < 0.06
    assert set(rules) == {Rule.ANSWER_IN_QUESTION}
    assert rules.total() < 0.022 * sum(map(len, drafts.values()))


CHAIR = {
    "item_name": "Office Chair with armrests",
    "product_type": "CHAIR",
    "color": "Navy Blue",
    "material": "Oak wood",
}
STUHL = {"Titel": "Bürostuhl Max", "Farbe": "Dunkelblau", "Material": "Eichenholz"}
YES, NO, NOTHING = Agreement.AGREES, Agreement.DISAGREES, Agreement.UNKNOWN


@pytest.mark.parametrize("listing", [CHAIR, STUHL], ids=["in English", "in German"])
@pytest.mark.parametrize(
    ("question", "answer", "expected"),
    [
        ("Welche Farbe hat der Stuhl?", "blau", YES),
        ("Welche Hauptfarbe hat das Produkt?", "dunkelblau", YES),
        ("Welche Farbe hat der abgebildete Bürostuhl?", "rote", NO),
        ("Welche Farbe haben die Beine?", "rot", NOTHING),
        ("Welche Farbe haben die Beine des Stuhls?", "rot", NOTHING),
        ("Welche Farbe hat der Tisch?", "rot", NOTHING),
        ("Welche Farbe hat der Stuhl?", "espresso", NOTHING),
        ("Aus welchem Material besteht der Stuhl?", "Holz", YES),
        ("Woraus besteht er?", "Metall", NO),
        ("Wie viele Beine hat er?", "vier", NOTHING),
    ],
)
def test_german_answers_are_compared_with_listings_in_either_language(
    question, answer, expected, listing
):
    assert agreement(Draft(question, answer), listing, language="de") is expected


@pytest.mark.parametrize(
    ("question", "answer", "expected"),
    [
        ("इस कुर्सी का मुख्य रंग क्या है?", "नीला", YES),
        ("इस उत्पाद का रंग क्या है?", "लाल", NO),
        ("पैरों का रंग क्या है?", "लाल", NOTHING),
        ("यह किससे बना है?", "लकड़ी", YES),
        ("यह किस प्रकार का उत्पाद है?", "कुर्सी", YES),
        ("यह किस प्रकार का उत्पाद है?", "मेज", NO),
    ],
)
def test_hindi_answers_are_compared_too(question, answer, expected):
    assert agreement(Draft(question, answer), CHAIR, language="hi") is expected


@pytest.mark.parametrize("language", ["", "nl"])
def test_a_language_without_a_mapping_is_compared_with_nothing(language):
    draft = Draft("What is the main color of the chair?", "red")
    assert agreement(draft, CHAIR, language=language) is Agreement.UNKNOWN
    assert agreement(draft, CHAIR, packaged_map(), language) is Agreement.DISAGREES


def test_a_listing_in_another_language_than_the_mapping_says_nothing():
    draft = Draft("Welche Farbe hat das Produkt?", "rot")
    assert agreement(draft, {"color": "ネイビー"}, language="de") is Agreement.UNKNOWN


def test_the_language_of_the_prompt_decides():
    german = default_prompt().model_copy(update={"language": "de"})
    draft = Draft("Welche Farbe hat der Stuhl?", "rot")
    verdict = validate([draft], answer_words=1, metadata=CHAIR, prompt=german)
    assert verdict.agreements == (Agreement.DISAGREES,)
