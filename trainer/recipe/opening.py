"""Reads a recipe, its data opened: from a URL, and with the pictures that come with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from shared.dataset.opening import with_data_opened
from shared.program.settings import AnySettings, read_tables, validated
from shared.vqa.names.model_names import resolve_model


def load_recipe(model: type[AnySettings], path: Path, overrides: Sequence[str] = ()) -> AnySettings:
    """Read a recipe as ``load_settings`` does, where `data` may be a URL and `images` missing.

    Raises:
        InputError: as ``load_settings``, there is no such model, or the data cannot be had or hold
            no pictures.
    """
    return opened_recipe(model, read_tables(path, overrides), source=str(path))


def opened_recipe(
    model: type[AnySettings], tables: Mapping[str, Any], *, source: str
) -> AnySettings:
    """Return the recipe in ``tables``, its data opened; ``source`` names them in errors.

    Raises:
        InputError: as ``load_recipe``.
    """
    if isinstance(model_name := tables.get("model"), str):
        resolve_model(model_name)
    opened = with_data_opened(tables, "data", Path(), option="`images` in the recipe")
    return validated(model, opened, source=source)
