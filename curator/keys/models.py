"""What is known of models before they are asked: ``models.toml``, dated, with its source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any, Final

from curator.keys.prices import Price
from shared.program.toml_files import parsed_toml

TILE_TOKENS: Final = 258
"""What a model counts for an image of up to ``TILE_PX`` where it goes by size."""
TILE_PX: Final = 384


@dataclass(frozen=True, slots=True)
class FreeLimits:
    """What a project without billing may send; ``None`` where it is not known, 0 for nothing."""

    rpm: int | None = None
    tpm: int | None = None
    rpd: int | None = None


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model; what is ``None`` is not known.

    ``image_tokens`` is what it counts for a picture whatever its size. ``successor`` follows it,
    from ``retires_on`` on where that is known.
    """

    name: str
    price: Price | None = None
    image_tokens: int | None = None
    successor: str = ""
    retires_on: date | None = None
    free: FreeLimits = field(default_factory=FreeLimits)

    def tokens_of_image(self, longest_px: int) -> int:
        """Return what it counts for an image of so many pixels on its longer side."""
        if self.image_tokens is not None:
            return self.image_tokens
        return TILE_TOKENS if longest_px <= TILE_PX else 4 * TILE_TOKENS


@cache
def _content() -> Mapping[str, Any]:
    # Read without pydantic, which takes longer than all else that `--help` needs.
    text = (files("curator.keys") / "models.toml").read_text(encoding="utf-8")
    return parsed_toml(text, "models.toml")


@cache
def _models() -> Mapping[str, KnownModel]:
    return {table["name"]: _model(table) for table in _content()["model"]}


def _model(table: Mapping[str, Any]) -> KnownModel:
    price = Price(table["input_usd"], table["output_usd"]) if "input_usd" in table else None
    return KnownModel(
        table["name"],
        price,
        table.get("image_tokens"),
        successor=table.get("successor", ""),
        retires_on=table.get("retires_on"),
        free=FreeLimits(**table.get("free", {})),
    )


def default_model() -> str:
    """Return the model that is asked where none is named."""
    return str(_content()["default"])


def known_model(name: str) -> KnownModel:
    """Return what is known of a model."""
    return _models().get(name) or KnownModel(name)
