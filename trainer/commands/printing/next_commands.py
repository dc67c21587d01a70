"""What one types after a command of the trainer: the evaluator, with what was made."""

from __future__ import annotations

import os
from pathlib import Path


def evaluating(adapter: Path) -> list[str]:
    """Return the command that evaluates an adapter on the pairs that are kept with it."""
    return [*_run(*_kept(adapter)), "--adapter", str(adapter), *_out(adapter)]


def evaluating_model(model: Path, data: object = None, images: object = None) -> list[str]:
    """Return the command that evaluates a model on data."""
    return [*_run(data, images), "--model", str(model), *_out(model)]


def evaluating_on_pairs_of(adapter: Path | None, model: Path) -> list[str]:
    """Return the command that evaluates a model on the pairs that are kept with an adapter."""
    return evaluating_model(model, *(() if adapter is None else _kept(adapter)))


def _kept(adapter: Path) -> tuple[Path | None, str | None]:
    """Return where the pairs are that are kept with an adapter, and their pictures."""
    # With the extra, which commands name first where it is missing.
    from trainer.fitting.record import DATASET, finished_run

    record = finished_run(adapter)
    data = adapter / DATASET
    if record is None or not data.is_dir():
        return None, None
    return data, os.path.relpath((adapter / record.images).resolve())


def _run(data: object, images: object = None) -> list[str]:
    pictures = [] if images is None else ["--images", str(images)]
    return ["evaluator", "run", "--data", "DATA" if data is None else str(data), *pictures]


def _out(made: Path) -> list[str]:
    return ["--out", str(Path("runs", made.resolve().name))]
