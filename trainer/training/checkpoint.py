"""Saves and restores a run between two steps, whole or not at all.

A checkpoint is a folder with the weights that training changes, the optimiser's state and
``state.json``. The schedule, the batches and the random numbers of a step are functions of the
step, so they need no state of their own.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from shared.corpus import read_json
from shared.errors import InputError
from shared.files.atomic import replaced_folder, whole_folder
from shared.files.locking import sole
from trainer.training.run_files import LOCK_FILE

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


@contextmanager
def sole_run(out: Path) -> Iterator[None]:
    """Hold the folder that a run writes to, so that no second one mixes its state with it.

    Raises:
        LockHeld: one does already.
    """
    out.mkdir(parents=True, exist_ok=True)
    held = f"{out}: another run trains in this folder"
    with sole(out / LOCK_FILE, held, "wait for it, stop it, or give another `out`"):
        yield


def save_checkpoint(
    folder: Path,
    weights: Mapping[str, torch.Tensor],
    optimizer: torch.optim.Optimizer,
    state: RunState,
) -> None:
    """Replace the checkpoint in ``folder``; a crash leaves the old one or the new one."""
    with replaced_folder(folder) as part:
        save_file(dict(weights), part / WEIGHTS)
        torch.save(optimizer.state_dict(), part / OPTIMIZER)
        (part / STATE).write_text(json.dumps(asdict(state)), encoding="utf-8")


def require_own(folder: Path, recipe_sha256: str, *, resume: bool) -> None:
    """Check that what a run would go on with, or throw away, is its own and is meant to be.

    Raises:
        InputError: ``folder`` is a checkpoint of another run or release, or of this run and
            ``resume`` is not set, so that hours of work would be lost.
    """
    saved = whole_folder(folder)
    if saved is None:
        return
    state = _state_in(saved)
    if state.recipe_sha256 != recipe_sha256:
        raise InputError(
            f"{saved}: the checkpoint is of another recipe or other data; give another `out`, or "
            "remove that folder to start again"
        )
    if not resume:
        raise InputError(
            f"{saved}: this run stands at step {state.step}; give --resume to go on there, or "
            "remove that folder to start again"
        )


def forget_checkpoint(folder: Path) -> None:
    """Remove the checkpoint in ``folder``, and what a killed process left of one before it."""
    while (saved := whole_folder(folder)) is not None:
        shutil.rmtree(saved)


def load_checkpoint(
    folder: Path, optimizer: torch.optim.Optimizer, recipe_sha256: str
) -> tuple[RunState, dict[str, torch.Tensor]] | None:
    """Restore the optimiser; return the state and the weights, ``None`` where nothing was saved.

    Raises:
        InputError: the checkpoint belongs to another recipe, other data or another release.
    """
    require_own(folder, recipe_sha256, resume=True)
    saved = whole_folder(folder)
    if saved is None:
        return None
    optimizer.load_state_dict(torch.load(saved / OPTIMIZER, weights_only=True))
    return _state_in(saved), load_file(saved / WEIGHTS)


def _state_in(saved: Path) -> RunState:
    facts = read_json(saved / STATE)
    try:
        return RunState(**facts)
    except TypeError as error:
        raise InputError(
            f"{saved}: is no checkpoint that this release can go on with; remove that folder to "
            "start again, or finish the run with the release that began it"
        ) from error
