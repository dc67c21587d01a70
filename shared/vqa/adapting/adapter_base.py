"""Which model an adapter was trained on, by what its folder says; without loading torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from shared.corpus import read_json
from shared.errors import InputError
from shared.onnx_vqa import is_bundle
from shared.vqa.adapting.adapter_files import (
    ADAPTER_CONFIG,
    TRAINING_RECORD,
    require_adapter,
)
from shared.vqa.names.base_place import base_folder
from shared.vqa.names.model_names import resolve_model


def model_or_base(model: str, adapters: Sequence[Path]) -> str:
    """Return ``model``, or where it is empty the base that all ``adapters`` name.

    A folder that ``trainer export`` wrote is a model too.

    Raises:
        InputError: there is no such model, no adapter names one that can be found, or they differ.
    """
    if model:
        if not is_bundle(model):
            resolve_model(model)
        return model
    if not adapters:
        raise InputError("--model: give a model folder, a hub id or blip-vqa-tiny")
    bases = {_named_base(adapter): adapter for adapter in adapters}
    if len(bases) > 1:
        raise InputError(f"--model: these adapters name different bases: {', '.join(bases)}")
    [(base, adapter)] = bases.items()
    try:
        resolve_model(base)
    except InputError as error:
        raise InputError(
            f"{adapter}: was trained on {base or 'a base that it does not name'}, which is not "
            "found here; give --model"
        ) from error
    return base


def _named_base(adapter: Path) -> str:
    require_adapter(adapter)
    path = adapter / TRAINING_RECORD
    if path.is_file() and (folder := base_folder(adapter, read_json(path))):
        return folder
    return str(read_json(adapter / ADAPTER_CONFIG).get("base_model_name_or_path") or "")
