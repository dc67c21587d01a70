"""Which fields of a listing answer which questions: the packaged mapping, and a user's own."""

from __future__ import annotations

import subprocess
import sys

import pytest

from curator.commands.judging.agreement import agreement as print_mapping
from curator.judging.agreeing.agreement import Agreement, agreement
from curator.judging.agreeing.listing_map import MAPPED, map_text, packaged_map, read_map
from curator.judging.drafts import Draft
from shared.errors import InputError

OWN = """
names = ["Bezeichnung"]

[subject.pattern]
asked = ["pattern", "motif"]
called = ["pattern"]
fields = ["Muster"]
families = ["striped stripes pinstripe", "dotted dots polka"]
"""


@pytest.mark.parametrize(
    ("listing", "question", "answer", "expected"),
    [
        ({"Title": "Oak mug", "Color": "navy"}, "What color is the mug?", "blue", "agrees"),
        ({"Title": "Oak mug", "C:Color": "navy"}, "What color is the mug?", "red", "disagrees"),
        ({"title": "Mug", "color_name": "navy"}, "What color is the lid?", "red", "unknown"),
        ({"name": "Ring", "Materials": "silver"}, "What is the ring made of?", "gold", "agrees"),
        ({"name": "Bag", "materials": "suede"}, "What is the bag made of?", "canvas", "disagrees"),
        (
            {"productDisplayName": "Oak mug", "baseColour": "Navy"},
            "What color is the mug?",
            "red",
            "disagrees",
        ),
        (
            {"Title": "Mug", "Color (product.metafields.shopify.color-pattern)": "navy"},
            "What color is the mug?",
            "blue",
            "agrees",
        ),
        ({"category": "Home > Rugs"}, "What type of product is shown?", "lamp", "disagrees"),
        ({"listed under": "Rugs"}, "What type of product is shown?", "rug", "agrees"),
    ],
)
def test_listings_of_shops_answer_by_the_names_that_shops_give_their_fields(
    listing, question, answer, expected
):
    assert agreement(Draft(question, answer), listing).value == expected


def test_a_mapping_of_ones_own_counts_instead_of_the_packaged_one(tmp_path):
    (tmp_path / "own.toml").write_text(OWN)
    own = read_map(tmp_path / "own.toml")
    shirt = {"bezeichnung": "Shirt classic", "MUSTER": "Striped", "color": "red"}

    def told(question, answer):
        return agreement(Draft(question, answer), shirt, own)

    assert told("What pattern is on the shirt?", "pinstripe") is Agreement.AGREES
    assert told("What is the main pattern of the shirt?", "dots") is Agreement.DISAGREES
    assert told("What is the pattern of the lining?", "dots") is Agreement.UNKNOWN
    assert told("What color is the shirt?", "blue") is Agreement.UNKNOWN
    assert agreement(Draft("What color is the shirt?", "blue"), shirt) is not Agreement.AGREES


def test_what_the_command_prints_is_the_packaged_mapping(tmp_path):
    printed = subprocess.run(
        [sys.executable, "-m", "curator", "agreement"], capture_output=True, text=True, check=True
    ).stdout
    assert printed == map_text()
    (tmp_path / "copy.toml").write_text(printed)
    assert read_map(tmp_path / "copy.toml") == packaged_map()
    assert read_map(None) is None


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("names = []", "subject"),
        ("[subject.x]\nasked = ['a']", "fields"),
        ("[subject.x]\nasked = []\nfields = ['a']", "asked"),
        ("[subject.x]\nasked = ['']\nfields = ['a']", "no word"),
        ("[subject.x]\nasked = ['a']\nfield = ['a']", "field"),
        ("[subject", "not valid TOML|TOML"),
    ],
)
def test_a_file_that_is_no_mapping_is_refused_with_what_is_wrong(tmp_path, text, part):
    (tmp_path / "own.toml").write_text(text)
    with pytest.raises(InputError, match=part) as error:
        read_map(tmp_path / "own.toml")
    assert "own.toml" in str(error.value)


def test_signs_in_a_users_phrases_are_no_patterns(tmp_path):
    (tmp_path / "own.toml").write_text(
        "[subject.x]\nasked = ['a (b', 'c+']\nfields = ['x']\nfamilies = ['q']\n"
    )
    assert agreement(Draft("Is it c?", "q"), {"x": "q"}, read_map(tmp_path / "own.toml"))


@pytest.mark.parametrize("language", MAPPED)
def test_the_packaged_mapping_of_each_language_can_be_edited(language, tmp_path):
    (tmp_path / "copy.toml").write_text(map_text(language), encoding="utf-8")
    assert read_map(tmp_path / "copy.toml") == packaged_map(language)


def test_a_language_without_a_mapping_is_bad_input(capsys):
    with pytest.raises(InputError, match="there are en, de, hi"):
        print_mapping("nl")
    print_mapping("de")
    assert capsys.readouterr().out == map_text("de")
