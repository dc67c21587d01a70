"""The files of an adapter's folder, by name; looked for without loading torch."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from shared.errors import InputError
from shared.program.command_line.paths import url_of
from shared.questions.folding import FOLDING_FILE
from shared.vqa.inputs.instruction import INSTRUCTION_FILE
from shared.vqa.names.hub_names import hub_id_of, means_a_folder, near_folder

ADAPTER_WEIGHTS: Final = "adapter_model.safetensors"
ADAPTER_CONFIG: Final = "adapter_config.json"
ADDED_LABELS: Final = "added_labels.json"
ROUNDED_TOGETHER: Final = "rounded_together.json"
"""Beside an adapter that is rounded together with its packed base."""
TRAINING_RECORD: Final = "run.json"
"""What `trainer` writes beside an adapter; see ``trainer.fitting.record``."""
TELL_ITS_USE: Final = (ADDED_LABELS, FOLDING_FILE, INSTRUCTION_FILE, ROUNDED_TOGETHER)
"""Files that not every adapter has, without which it would answer otherwise."""

_FROM_A_HUB: Final = (
    "give an adapter's folder; `hf download {name} --local-dir DIR` fetches one from a hub"
)


def require_adapter(adapter: Path) -> Path:
    """Return the weights file of an adapter folder.

    Raises:
        InputError: the folder is missing or is not an adapter with safetensors.
    """
    if (url := url_of(adapter)) is not None:
        raise InputError(f"{url}: a URL; {_FROM_A_HUB.format(name=hub_id_of(url) or 'OWNER/NAME')}")
    if not adapter.exists():
        name = str(adapter)
        if "/" in name and not means_a_folder(name):
            raise InputError(f"{name}: no such adapter folder; {_FROM_A_HUB.format(name=name)}")
        raise InputError(f"{adapter}: no such adapter folder{near_folder(str(adapter))}")
    if not (adapter / ADAPTER_CONFIG).is_file():
        raise InputError(f"{adapter}: not an adapter folder ({ADAPTER_CONFIG} is missing)")
    weights = adapter / ADAPTER_WEIGHTS
    if not weights.is_file():
        raise InputError(
            f"{adapter}: {ADAPTER_WEIGHTS} is missing; pickled adapters (.bin) are not loaded"
        )
    return weights


def adapter_digest(adapter: Path) -> str:
    """Return the SHA-256 of an adapter's configuration and weights, and of what tells their use."""
    digest = hashlib.sha256()
    for name in (ADAPTER_CONFIG, ADAPTER_WEIGHTS, *TELL_ITS_USE):
        if (adapter / name).is_file():
            digest.update((adapter / name).read_bytes())
    return digest.hexdigest()
