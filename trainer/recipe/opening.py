"""Reads a recipe, its data opened: from a URL, and with the pictures that come with them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from shared.dataset.opening import with_data_opened
from shared.program.settings import AnySettings, read_tables, validated
from shared.vqa.names.model_names import resolve_model


def load_recipe(model: type[AnySettings], path: Path, overrides: Sequence[str] = ()) -> AnySettings:
    """Read a recipe as ``load_settings`` does, where `data` may be a URL and `images` missing.

    Raises:
        InputError: as ``load_settings``, there is no such model, or the data cannot be had or hold
            no pictures.
    """
    tables = read_tables(path, overrides)
    if isinstance(model_name := tables.get("model"), str):
        resolve_model(model_name)
    tables = with_data_opened(tables, "data", Path(), option="`images` in the recipe")
    return validated(model, tables, source=str(path))
