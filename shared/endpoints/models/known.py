"""What is known of models before they are asked: ``models.toml``, dated, with its source.

Read without pydantic, which takes longer than all else that ``--help`` needs; a user's own file is
checked by ``shared.endpoints.models.users_file``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import date
from functools import cache, lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final

from shared.endpoints.models.prices import Price
from shared.program.command_line.nearest import nearest
from shared.program.toml_files import parsed_toml
from shared.value_class import value_class

_ANY_END: Final = "*"
_LARGE: Final = 4
"""So many times as much as a small image counts a large one."""
_NEAREST: Final = 3
_SHARED_TIERS: Final = ("flex", "batch")


@value_class
class Tile:
    """What an image counts by its size: ``tokens`` up to ``px`` pixels on its longer side."""

    tokens: int
    px: int


@value_class
class FreeLimits:
    """What a project without billing may send; ``None`` where it is not known, 0 for nothing."""

    rpm: int | None = None
    tpm: int | None = None
    rpd: int | None = None


@value_class
class KnownModel:
    """A model, and what is known of it.

    ``image_tokens`` are those of an image by detail, and ``image_detail`` what counts where none is
    asked for; without them an image counts by ``tile``. ``successor`` follows it, from
    ``retires_on`` on where that is known. ``thinking_levels`` is empty where they are not known;
    ``thinking_budgets`` are the tokens that stand for each where the model knows no levels.
    ``tiers`` are those that it takes, empty where they are not known.
    ``is_listed`` says that it stands in a catalogue of models.
    """

    name: str
    tile: Tile
    image_tokens: Mapping[str, int] = field(default_factory=dict)
    image_detail: str = ""
    thinking_levels: tuple[str, ...] = ()
    thinking_budgets: Mapping[str, int] = field(default_factory=dict)
    takes_json_mode: bool = True
    takes_temperature: bool = True
    tiers: tuple[str, ...] = ()
    successor: str = ""
    retires_on: date | None = None
    free: FreeLimits = field(default_factory=FreeLimits)
    price: Price | None = None
    is_listed: bool = False

    def tokens_of_image(self, longest_px: int, detail: str = "") -> int:
        """Return what it counts for an image of so many pixels on its longer side."""
        if self.image_detail:
            return self.image_tokens.get(detail) or self.image_tokens[self.image_detail]
        return self.tile.tokens * (1 if longest_px <= self.tile.px else _LARGE)


class ModelCatalogue:
    """What is known of all models, from tables as ``models.toml`` has them."""

    def __init__(self, tables: Mapping[str, Any]) -> None:
        self.tables = tables
        self.default: str = tables["default"]
        self.tile = Tile(tables["tile"]["tokens"], tables["tile"]["px"])
        self.tier_shares = MappingProxyType(_shares(tables))
        self.tier_longest_s = MappingProxyType(dict(tables.get("tier_longest_s", {})))
        self._by_name = {table["name"]: table for table in tables["model"]}
        # Each reply names a model.
        self._known = lru_cache(maxsize=256)(self._read)

    def known(self, name: str) -> KnownModel:
        """Return what is known of a model, little where it is not listed."""
        return self._known(name)

    def _read(self, name: str) -> KnownModel:
        table = self._by_name.get(name) or self._family(name)
        if table is None:
            return KnownModel(name, self.tile)
        free = table.get("free", {})
        return KnownModel(
            name,
            self.tile,
            image_tokens=MappingProxyType(table.get("image_tokens", {})),
            image_detail=table.get("image_detail", ""),
            thinking_levels=tuple(table.get("thinking_levels", ())),
            thinking_budgets=MappingProxyType(table.get("thinking_budgets", {})),
            takes_json_mode=table.get("json_mode", True),
            takes_temperature=table.get("temperature", True),
            tiers=tuple(table.get("tiers", ())),
            successor=table.get("successor", ""),
            retires_on=table.get("retires_on"),
            free=FreeLimits(free.get("rpm"), free.get("tpm"), free.get("rpd")),
            price=self._price(table),
            is_listed=True,
        )

    def _price(self, table: Mapping[str, Any]) -> Price | None:
        price = table.get("price")
        if price is None:
            return None
        # A table within another has the other's date, where it has none of its own.
        dates = (dated.get("read_on") for dated in (price, table, self.tables))
        return Price(
            price["input_usd"],
            price["output_usd"],
            price.get("cached_usd"),
            next((day for day in dates if day), None),
            MappingProxyType({**self.tier_shares, **_shares(price)}),
        )

    def _family(self, name: str) -> Mapping[str, Any] | None:
        families = (pattern for pattern in self._by_name if pattern.endswith(_ANY_END))
        fitting = [
            pattern for pattern in families if name.startswith(pattern.removesuffix(_ANY_END))
        ]
        return self._by_name[max(fitting, key=len)] if fitting else None

    def nearest(self, name: str) -> Sequence[str]:
        """Return the names that look like ``name``, the nearest first."""
        return nearest(name, self._by_name, most=_NEAREST)


def _shares(table: Mapping[str, Any]) -> dict[str, float]:
    """Return what is paid of a list price by tier, out of a table that may say so."""
    shares = table.get("tier_shares", {})
    return {name: share for name, share in shares.items() if name in _SHARED_TIERS}


@cache
def packaged_models() -> ModelCatalogue:
    """Return what this release knows."""
    text = (files("shared.endpoints.models") / "models.toml").read_text(encoding="utf-8")
    return ModelCatalogue(parsed_toml(text, "models.toml"))
