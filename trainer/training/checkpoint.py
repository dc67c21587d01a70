"""Saves and restores a run between two steps, whole or not at all.

A checkpoint is a folder with the weights that training changes, the optimiser's state and
``state.json``. The schedule, the batches and the random numbers of a step are functions of the
step, so they need no state of their own.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from shared.corpus import read_json
from shared.errors import InputError
from shared.files.atomic import open_to_readers

CHECKPOINT = "checkpoint"
"""Its name in the folder that a run writes to."""
WEIGHTS, OPTIMIZER, STATE = "weights.safetensors", "optimizer.pt", "state.json"


@dataclass(frozen=True, slots=True)
class RunState:
    """Where a run stands: the steps done.

    ``recipe_sha256`` is that of the settings and the data, so that only the same run resumes.
    """

    step: int
    recipe_sha256: str


def fingerprint_of(*facts: object) -> str:
    """Return one digest of JSON values: all that decides what a run makes."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def save_checkpoint(
    folder: Path,
    weights: Mapping[str, torch.Tensor],
    optimizer: torch.optim.Optimizer,
    state: RunState,
) -> None:
    """Replace the checkpoint in ``folder``; a crash leaves the old one or the new one."""
    part, old = folder.with_name(folder.name + ".part"), folder.with_name(folder.name + ".old")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    save_file(dict(weights), part / WEIGHTS)
    torch.save(optimizer.state_dict(), part / OPTIMIZER)
    (part / STATE).write_text(json.dumps(asdict(state)), encoding="utf-8")
    open_to_readers(part)
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    part.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def read_state(folder: Path) -> RunState | None:
    """Return where the run in ``folder`` stands, or ``None`` where nothing was saved."""
    saved = _saved_in(folder)
    return None if saved is None else RunState(**read_json(saved / STATE))


def load_checkpoint(
    folder: Path, optimizer: torch.optim.Optimizer, recipe_sha256: str
) -> tuple[RunState, dict[str, torch.Tensor]] | None:
    """Restore the optimiser; return the state and the weights, ``None`` where nothing was saved.

    Raises:
        InputError: the checkpoint belongs to another recipe or other data.
    """
    saved, state = _saved_in(folder), read_state(folder)
    if saved is None or state is None:
        return None
    if state.recipe_sha256 != recipe_sha256:
        raise InputError(
            f"{folder}: the checkpoint is of another recipe or other data; give another `out`, or "
            "leave out --resume to start again"
        )
    optimizer.load_state_dict(torch.load(saved / OPTIMIZER, weights_only=True))
    return state, load_file(saved / WEIGHTS)


def _saved_in(folder: Path) -> Path | None:
    # The process may have died between the two renames, with the old folder aside.
    for candidate in (folder, folder.with_name(folder.name + ".old")):
        if candidate.exists():
            return candidate
    return None
