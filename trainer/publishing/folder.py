"""Which files of an adapter's or a model's folder are for others, and why the rest stays here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from shared.dataset.training_images import TRAINING_IMAGES
from shared.errors import InputError
from shared.hub.parcel import CARD_FILE
from shared.questions.folding import FOLDING_FILE
from shared.vqa.adapting.adapter_files import (
    ADAPTER_CONFIG,
    ADAPTER_WEIGHTS,
    ADDED_LABELS,
    ROUNDED_TOGETHER,
    TRAINING_RECORD,
    adapter_digest,
    require_adapter,
)
from shared.vqa.inputs.instruction import INSTRUCTION_FILE
from shared.vqa.names.weights_revision import weights_revision
from shared.vqa.packed.place import packed_folder
from shared.vqa.packed.record import PACKED_FILE
from trainer.fitting.record import DATASET, finished_run
from trainer.training.run_files import CHECKPOINT, LOG_FILE

_MODEL_CONFIG: Final = "config.json"
_FOR_BOTH: Final = (
    CARD_FILE,
    FOLDING_FILE,
    INSTRUCTION_FILE,
    TRAINING_IMAGES,
    "tokenizer*",
    "*processor_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "*.jinja",
    "chat_template.json",
)
_OF_ADAPTERS: Final = (ADAPTER_CONFIG, ADAPTER_WEIGHTS, ADDED_LABELS, ROUNDED_TOGETHER)
_OF_MODELS: Final = (
    _MODEL_CONFIG,
    "generation_config.json",
    "model*.safetensors",
    "model.safetensors.index.json",
    PACKED_FILE,
    "sizes.*",
)
_NEEDED: Final = frozenset(
    {ADAPTER_CONFIG, ADAPTER_WEIGHTS, _MODEL_CONFIG, "model.safetensors", PACKED_FILE}
)
_REASONS: Final = {
    DATASET: "the pairs that it learned from; `curator export --push` sends data",
    TRAINING_RECORD: "paths of this machine",
    "tensorboard": "the run's curves",
    LOG_FILE: "the run's log",
}


@dataclass(frozen=True, slots=True)
class Published:
    """Files of a folder by name, those that stay, and what tells its weights from others."""

    files: dict[str, Path]
    left_out: Sequence[str]
    weights: str


def published(folder: Path) -> Published:
    """Return what of an adapter's or a model's folder is for others.

    Raises:
        InputError: it is neither, its run is not finished, or its weights are a link to elsewhere.
    """
    is_model = (folder / _MODEL_CONFIG).is_file()
    if is_model:
        _require_weights(folder)
    else:
        require_adapter(folder)
        if finished_run(folder) is None and (folder / CHECKPOINT).exists():
            raise InputError(
                f"{folder}: its run is not finished; `trainer fit --resume` goes on with it"
            )
    wanted = (*_FOR_BOTH, *(_OF_MODELS if is_model else _OF_ADAPTERS))
    here = sorted(folder.iterdir())
    files = {
        path.name: path
        for path in here
        if path.is_file() and any(fnmatchcase(path.name, each) for each in wanted)
    }
    outside = [name for name, path in files.items() if not _is_inside(path, folder)]
    for name in outside:
        if name in _NEEDED:
            raise InputError(f"{files[name]}: is a link out of its folder; put the file there")
        del files[name]
    stays = [path for path in here if path.name not in files and path.suffix != ".lock"]
    return Published(
        files,
        [f"{_shown(path)} ({_reason(path, folder)})" for path in stays],
        weights_revision(folder) if is_model else adapter_digest(folder),
    )


def _require_weights(folder: Path) -> None:
    """Check that others can load what goes: packed weights with their record, or plain ones.

    Raises:
        InputError: weights are missing, or packed ones and their record are not of each other.
    """
    if packed_folder(str(folder)) is None and not any(folder.glob("model*.safetensors")):
        raise InputError(f"{folder}: has no weights (model.safetensors); give the whole model")


def _is_inside(path: Path, folder: Path) -> bool:
    """Return whether a file lies where its name says: a link may lead to anything here."""
    return path.resolve().is_relative_to(folder.resolve())


def _reason(path: Path, folder: Path) -> str:
    if not _is_inside(path, folder):
        return "a link out of the folder"
    return _REASONS.get(path.name, "not the model")


def _shown(path: Path) -> str:
    return f"{path.name}/" if path.is_dir() else path.name
