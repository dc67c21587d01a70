"""What becomes of models: their ends, and who answers in their place."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from shared.endpoints.models.known import packaged_models
from shared.endpoints.models.model_status import is_another_model, retirement


def test_what_the_service_says_of_an_end_wins_over_the_file():
    listed = retirement(packaged_models().known("gemini-2.5-flash"))
    assert listed is not None
    assert datetime.fromtimestamp(listed.at, UTC) == datetime(2026, 12, 1, tzinfo=UTC)
    assert listed.followed_by == "gemini-3.5-flash-lite"
    assert "models.toml" in listed.said_by
    told = retirement(packaged_models().known("gemini-2.5-flash"), 5.0)
    assert told is not None
    assert (told.at, told.said_by) == (5.0, "the service")
    assert told.followed_by == "gemini-3.5-flash-lite"
    assert retirement(packaged_models().known("gemini-3.8-flash")) is None
    assert retirement(packaged_models().known("llava"), 7.0) is not None


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
