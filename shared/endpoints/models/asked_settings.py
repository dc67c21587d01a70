"""How hard a model is asked to think, and in what detail to look; and how that is said to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from enum import StrEnum
from functools import cache
from types import MappingProxyType
from typing import Final

from shared.endpoints.models.known import KnownModel
from shared.errors import InputError
from shared.value_class import value_class


class Thinking(StrEnum):
    """How hard to think, the least first."""

    MINIMAL = "minimal"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class ImageDetail(StrEnum):
    """In what detail to look, the least first."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


@value_class
class AskedSettings:
    """``thinking`` is a level and ``image_detail`` a detail; empty for the model's own choice."""

    thinking: str = ""
    image_detail: str = ""


AS_THE_MODEL_CHOOSES: Final = AskedSettings()
# Each request looks it up several times, and there are few of them.
_asked: Final = cache(AskedSettings)


@value_class
class ModelSettings:
    """The same for one model; ``thinking_budget``, in tokens, is for one that knows no levels."""

    thinking: str = ""
    thinking_budget: int | None = None
    image_detail: str = ""

    @property
    def asked(self) -> AskedSettings:
        """What is asked, whatever the words for it."""
        return _asked(self.thinking, self.image_detail)

    def without(self, left_out: str) -> ModelSettings:
        """Return these but for a setting, such as ``thinking=high``, where it is the one asked."""
        setting, _, value = left_out.partition("=")
        if setting == "thinking" and value == self.thinking:
            return replace(self, thinking="", thinking_budget=None)
        if setting == "image_detail" and value == self.image_detail:
            return replace(self, image_detail="")
        return self


NO_SETTINGS: Final = ModelSettings()
ALL_BY_THEMSELVES: Final[Mapping[str, ModelSettings]] = MappingProxyType({})
"""That each model chooses by itself."""


def settings_for(model: KnownModel, asked: AskedSettings) -> ModelSettings:
    """Return how ``model`` is told what is asked.

    Raises:
        InputError: it is known to refuse that.
    """
    levels = tuple(model.thinking_budgets) or model.thinking_levels
    _check("--thinking", asked.thinking, levels, model.name)
    _check("--image-detail", asked.image_detail, model.image_tokens, model.name)
    return ModelSettings(
        asked.thinking, model.thinking_budgets.get(asked.thinking), asked.image_detail
    )


def _check(option: str, value: str, taken: Iterable[str], model: str) -> None:
    values = list(taken)
    if value and values and value not in values:
        raise InputError(f"{option} {value}: {model} takes {', '.join(values)}")
