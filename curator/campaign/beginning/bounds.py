"""Which numbers and choices a campaign takes, for callers that no command line has checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from curator.prompts.reply_fields import MOST_VIEWS
from shared.endpoints.models.asked_settings import ImageDetail, Thinking
from shared.endpoints.models.tier import Tier
from shared.endpoints.pool.exhaustion import OnExhausted
from shared.endpoints.protocols.registry import Service
from shared.program.settings import Settings, validated


class Bounded(Settings):
    """The options of ``curator run`` that are numbers or one of several words."""

    service: Service
    tier: Tier
    on_exhausted: OnExhausted
    thinking: Thinking | None
    image_detail: ImageDetail | None
    questions: int | None = Field(ge=1, le=50)
    answer_words: int | None = Field(ge=1, le=20)
    views: int = Field(ge=1, le=MOST_VIEWS)
    limit: int | None = Field(ge=1)
    concurrency: int | None = Field(ge=1, le=1024)
    requests_per_minute: int | None = Field(ge=1)
    timeout_s: float | None = Field(ge=0.1)
    verify: float = Field(ge=0, le=1)
    canary: int = Field(ge=0)
    min_pixels: int = Field(ge=0)
    min_contrast: float = Field(ge=0)
    min_sharpness: float = Field(ge=0)
    shuffle: int | None


def bounded(values: Mapping[str, Any]) -> Bounded:
    """Return the options among ``values``, which may hold others, as what they mean.

    Raises:
        InputError: one is out of its bounds, or none of the words.
    """
    known = {name: value for name, value in values.items() if name in Bounded.model_fields}
    return validated(Bounded, known, source="curate")
