"""What is known of models before they are asked: ``models.toml``, dated, with its source."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import cache
from importlib.resources import files
from typing import Any, Final

from curator.keys.prices import Price

TILE_TOKENS: Final = 258
"""What a model counts for an image of up to ``TILE_PX`` where it goes by size."""
TILE_PX: Final = 384
_VERSION: Final = re.compile(r"([-:@](latest|preview|exp|experimental|v?\d[\d.-]*|\d{4}))+")
"""What services put behind a model's name: ``-001``, ``-preview-09-2025``, ``:latest``."""


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model; what is ``None`` is not known.

    ``image_tokens`` is what it counts for a picture whatever its size. ``retires_at``, in seconds
    since the epoch, is when the service means to shut it down, and ``followed_by`` the model that
    answers in its place then, if any. ``free_requests_a_day`` is what a project without billing may
    ask.
    """

    name: str
    price: Price | None = None
    image_tokens: int | None = None
    retires_at: float | None = None
    followed_by: str = ""
    free_requests_a_day: int | None = None

    def tokens_of_image(self, longest_px: int) -> int:
        """Return what it counts for an image of so many pixels on its longer side."""
        if self.image_tokens is not None:
            return self.image_tokens
        return TILE_TOKENS if longest_px <= TILE_PX else 4 * TILE_TOKENS


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """What a service says of a model: the stage of its life, and when that ends.

    ``stage`` is the service's own word, such as DEPRECATED, empty where it says none;
    ``retires_at`` is in seconds since the epoch.
    """

    stage: str = ""
    retires_at: float | None = None


NO_STATUS: Final = ModelStatus()


@dataclass(frozen=True, slots=True)
class Retirement:
    """When a model is shut down, seconds since the epoch, who says so, and what follows it."""

    at: float
    said_by: str
    followed_by: str = ""


@cache
def _content() -> Mapping[str, Any]:
    # Read without pydantic, which takes longer than all else that `--help` needs.
    return tomllib.loads((files("curator.keys") / "models.toml").read_text(encoding="utf-8"))


@cache
def _models() -> Mapping[str, KnownModel]:
    return {table["name"]: _model(table) for table in _content()["model"]}


def _model(table: Mapping[str, Any]) -> KnownModel:
    price = Price(table["input_usd"], table["output_usd"]) if "input_usd" in table else None
    return KnownModel(
        table["name"],
        price,
        table.get("image_tokens"),
        retires_at=_midnight(table["retires_on"]) if "retires_on" in table else None,
        followed_by=table.get("followed_by", ""),
        free_requests_a_day=table.get("free_requests_a_day"),
    )


def _midnight(day: date) -> float:
    return datetime.combine(day, time(), UTC).timestamp()


def default_model() -> str:
    """Return the model that is asked where none is named."""
    return str(_content()["default"])


def known_model(name: str) -> KnownModel:
    """Return what is known of a model."""
    return _models().get(name) or KnownModel(name)


def retirement(name: str, told_at: float | None = None) -> Retirement | None:
    """Return when a model is shut down; ``None`` where nobody says.

    ``told_at`` is what the service said at run time, seconds since the epoch, and wins.
    """
    listed = known_model(name)
    if told_at is not None:
        return Retirement(told_at, "the service", listed.followed_by)
    if listed.retires_at is None:
        return None
    return Retirement(
        listed.retires_at, f"models.toml of {_content()['read_on']}", listed.followed_by
    )


def is_another_model(asked: str, answered: str) -> bool:
    """Return whether a reply names another model than the one that was asked for.

    A version behind the name is no other model: ``gpt-4o-2024-08-06`` answers for ``gpt-4o``. What
    ``-latest`` stands for is the service's to say.
    """
    asked, answered = _plain_name(asked), _plain_name(answered)
    if not asked or not answered or asked == answered or asked.endswith("latest"):
        return False
    longer, shorter = sorted((asked, answered), key=len, reverse=True)
    return not (longer.startswith(shorter) and _VERSION.fullmatch(longer[len(shorter) :]))


def _plain_name(name: str) -> str:
    return name.strip().lower().rsplit("/", 1)[-1]
