"""Recipes and data for small runs of the trainer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from shared.corpus import write_pairs
from shared.records import QAPair
from tests.models import TEXT_TARGETS
from tests.pictures import draw_gallery

SPLITS = ("train", "train", "train", "validation", "test")


def write_data(folder: Path, count: int = 20) -> list[QAPair]:
    """Draw pictures into ``folder/images``; write their pairs to ``folder/pairs.jsonl``."""
    pairs = draw_gallery(folder / "images", count, SPLITS)
    write_pairs(pairs, folder / "pairs.jsonl")
    return pairs


def fit_settings(base: Path, folder: Path, **changes: object) -> dict[str, object]:
    """Return a recipe for a small, exact run on the CPU, for ``FitRecipe`` or a TOML file."""
    return {
        "model": str(base),
        "data": str(folder / "pairs.jsonl"),
        "images": str(folder / "images"),
        "out": str(folder / "out"),
        "feature_store": str(folder / "features"),
        "quantize": "none",
        "epochs": 2,
        "batch_size": 4,
        "accumulation": 2,
        "warmup_min_steps": 2,
        "learning_rate": 1e-3,
        "lora": {"rank": 4, "alpha": 8, "dropout": 0.1, "targets": list(TEXT_TARGETS)},
    } | changes


def write_recipe(path: Path, settings: dict[str, object]) -> Path:
    """Write settings as TOML."""
    plain = [f"{name} = {_toml(v)}" for name, v in settings.items() if not isinstance(v, dict)]
    tables = [
        "\n".join([f"[{name}]", *(f"{key} = {_toml(v)}" for key, v in table.items())])
        for name, table in settings.items()
        if isinstance(table, dict)
    ]
    path.write_text("\n".join([*plain, *tables]) + "\n", encoding="utf-8")
    return path


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return f'"{value}"' if isinstance(value, str) else repr(value)
