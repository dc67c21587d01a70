"""What is known of models: dated, with its source, and heeded."""

from __future__ import annotations

import tomllib
from datetime import date
from pathlib import Path

import pytest

import curator
from curator.annotators.prompt import Prompt
from curator.keys.models import default_model, known_model

CONTENT = tomllib.loads((Path(curator.__file__).parent / "keys/models.toml").read_text())


def test_what_is_known_has_a_date_and_a_source_and_each_model_once():
    assert isinstance(CONTENT["read_on"], date)
    assert CONTENT["source"]
    names = [table["name"] for table in CONTENT["model"]]
    assert len(set(names)) == len(names)
    assert default_model() in names


def test_the_default_model_has_a_price_and_is_open_to_new_keys():
    price = known_model(default_model()).price
    assert price is not None
    assert price.of(1_000_000, 1_000_000) == pytest.approx(2.80)
    assert not default_model().startswith("gemini-2")


def test_nothing_is_made_up_for_a_model_that_is_not_known():
    assert known_model("llava").price is None
    assert known_model("gemini-3.8-flash").price is None


def test_an_image_counts_what_the_model_says_or_by_its_size():
    prompt, by_size, fixed = Prompt(3, 1), known_model("llava"), known_model(default_model())
    small, large = (prompt.request({}, b"", px) for px in (300, 500))
    assert large.estimated_tokens(by_size) - small.estimated_tokens(by_size) == 3 * 258
    assert large.estimated_tokens(fixed) == small.estimated_tokens(fixed)
    assert small.estimated_tokens(fixed) - small.estimated_tokens(by_size) == 1120 - 258
    largest = [prompt.largest_request_tokens(model, 512) for model in (by_size, fixed)]
    assert largest[1] > largest[0]
