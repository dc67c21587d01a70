"""Saves and restores a run between two steps, whole or not at all.

A checkpoint is a folder with the adapter's weights, the optimiser's state and ``state.json``. The
schedule, the batches and the random numbers of a step are functions of the step, so they need no
state of their own.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from peft import PeftModel, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import load_file, save_file

from shared.corpus import read_json
from shared.errors import InputError
from shared.files.atomic import open_to_readers

WEIGHTS, OPTIMIZER, STATE = "adapter.safetensors", "optimizer.pt", "state.json"


@dataclass(frozen=True, slots=True)
class RunState:
    """Where a run stands: steps done, and the best held-out exact match (-1 before the first).

    ``recipe_sha256`` is that of the settings and the data, so that only the same run resumes.
    """

    step: int
    best_exact_match: float
    recipe_sha256: str


def save_checkpoint(
    folder: Path, peft: PeftModel, optimizer: torch.optim.Optimizer, state: RunState
) -> None:
    """Replace the checkpoint in ``folder``; a crash leaves the old one or the new one."""
    part, old = folder.with_name(folder.name + ".part"), folder.with_name(folder.name + ".old")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    save_file(get_peft_model_state_dict(peft), part / WEIGHTS)
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
    found = _saved_in(folder)
    return None if found is None else RunState(**read_json(found / STATE))


def load_checkpoint(
    folder: Path, peft: PeftModel, optimizer: torch.optim.Optimizer, recipe_sha256: str
) -> RunState | None:
    """Restore weights and optimiser; return the state, or ``None`` where nothing was saved.

    Raises:
        InputError: the checkpoint belongs to another recipe or other data.
    """
    found, state = _saved_in(folder), read_state(folder)
    if found is None or state is None:
        return None
    if state.recipe_sha256 != recipe_sha256:
        raise InputError(
            f"{folder}: the checkpoint is of another recipe or other data; give another `out`, or "
            "leave out --resume to start again"
        )
    set_peft_model_state_dict(peft, load_file(found / WEIGHTS))
    optimizer.load_state_dict(torch.load(found / OPTIMIZER, weights_only=True))
    return state


def _saved_in(folder: Path) -> Path | None:
    # The process may have died between the two renames, with the old folder aside.
    for candidate in (folder, folder.with_name(folder.name + ".old")):
        if candidate.exists():
            return candidate
    return None
