"""Reads a catalogue of models of the user's own, which is laid over the one of this release."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from shared.endpoints.models.known import ModelCatalogue, packaged_models
from shared.program.settings import Settings, validated
from shared.program.toml_files import read_toml

_Name = Annotated[str, Field(min_length=1)]
_Tokens = Annotated[int, Field(ge=1)]
_Limit = Annotated[int | None, Field(ge=0)]
_Usd = Annotated[float, Field(ge=0)]
_Level = Literal["minimal", "low", "medium", "high"]
_Detail = Literal["low", "medium", "high"]
_Tier = Literal["standard", "flex", "batch"]
_Share = Annotated[float | None, Field(gt=0, le=1)]


class _Dated(Settings):
    read_on: date | None = None
    source: str = ""


class _Tile(_Dated):
    tokens: _Tokens
    px: _Tokens


class _Free(_Dated):
    rpm: _Limit = None
    tpm: _Limit = None
    rpd: _Limit = None


class _Shares(_Dated):
    flex: _Share = None
    batch: _Share = None


class _LongestS(_Dated):
    flex: _Tokens | None = None
    batch: _Tokens | None = None


class _Price(_Dated):
    input_usd: _Usd
    output_usd: _Usd
    cached_usd: _Usd | None = None
    tier_shares: _Shares = _Shares()


class _Model(_Dated):
    name: _Name
    successor: str = ""
    retires_on: date | None = None
    image_tokens: dict[_Detail, _Tokens] = Field(default_factory=dict)
    image_detail: _Detail | None = None
    thinking_levels: tuple[_Level, ...] = ()
    thinking_budgets: dict[_Level, Annotated[int, Field(ge=0)]] = Field(default_factory=dict)
    json_mode: bool = True
    temperature: bool = True
    tiers: tuple[_Tier, ...] = ()
    free: _Free = _Free()
    price: _Price | None = None

    @model_validator(mode="after")
    def _counts_what_is_sent(self) -> Self:
        if self.image_detail is not None and self.image_detail not in self.image_tokens:
            raise ValueError(f"{self.name}: image_tokens has no {self.image_detail!r}")
        if self.thinking_levels and self.thinking_budgets:
            raise ValueError(f"{self.name}: give thinking_levels or thinking_budgets, not both")
        if self.image_tokens and self.image_detail is None:
            raise ValueError(f"{self.name}: give image_detail, one of {[*self.image_tokens]}")
        return self


class ModelsFile(_Dated):
    """The file's form; of what it leaves out, this release's own catalogue counts."""

    default: _Name | None = None
    tile: _Tile | None = None
    tier_shares: _Shares = _Shares()
    tier_longest_s: _LongestS = _LongestS()
    model: tuple[_Model, ...] = ()

    @model_validator(mode="after")
    def _no_twins(self) -> Self:
        names = [model.name for model in self.model]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"model {name!r} occurs twice")
        return self


def models_with(path: Path) -> ModelCatalogue:
    """Return what is known of models, with what the file at ``path`` says of them laid over it.

    A model that the file names keeps what the file does not say of it; ``free`` and ``price`` are
    replaced whole.

    Raises:
        InputError: the file is missing, unreadable, not TOML, or says what makes no sense.
    """
    packaged = packaged_models()
    given = read_toml(path)
    validated(ModelsFile, given, source=str(path))
    tables = {table["name"]: table for table in packaged.tables["model"]}
    for table in given.get("model", ()):
        tables[table["name"]] = {**tables.get(table["name"], {}), **table}
    return ModelCatalogue({**packaged.tables, **given, "model": [*tables.values()]})
