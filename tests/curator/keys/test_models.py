"""What is known of models: dated, with its source, and heeded."""

from __future__ import annotations

import tomllib
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

import curator
from curator.annotators.prompt import Prompt
from curator.keys.models import default_model, is_another_model, known_model, retirement

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


def test_what_the_service_says_of_an_end_wins_over_the_file():
    listed = retirement("gemini-2.5-flash")
    assert listed is not None
    assert datetime.fromtimestamp(listed.at, UTC) == datetime(2026, 12, 1, tzinfo=UTC)
    assert listed.followed_by == "gemini-3.5-flash-lite"
    assert "models.toml" in listed.said_by
    told = retirement("gemini-2.5-flash", 5.0)
    assert told is not None
    assert (told.at, told.said_by) == (5.0, "the service")
    assert told.followed_by == "gemini-3.5-flash-lite"
    assert retirement("gemini-3.8-flash") is None
    assert retirement("llava", 7.0) is not None


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("gemini-3.5-flash", "gemini-3.5-flash-lite"),
        ("gemini-2.5-flash", "gemini-3.5-flash"),
        ("gpt-4o", "gpt-4o-mini"),
        ("llava:7b", "llava:13b"),
        ("gemini-3", "gemini-3.5"),
    ],
)
def test_another_name_is_another_model(asked, answered):
    assert is_another_model(asked, answered)
    assert is_another_model(answered, asked)


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("gemini-3.5-flash", "gemini-3.5-flash"),
        ("gemini-3.5-flash", "models/gemini-3.5-flash-001"),
        ("gemini-3.5-flash", "gemini-3.5-flash-preview-09-2025"),
        ("gpt-4o", "gpt-4o-2024-08-06"),
        ("llava", "llava:latest"),
        ("gemini-flash-latest", "gemini-3.8-flash"),
        ("openai/gpt-4o", "GPT-4o"),
        ("llava", ""),
    ],
)
def test_a_version_of_a_model_is_no_other_model(asked, answered):
    assert not is_another_model(asked, answered)
