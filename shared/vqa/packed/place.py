"""Where a packed model lies: a folder of this machine, or one that a hub's files are fetched to."""

from __future__ import annotations

from pathlib import Path

from shared.errors import InputError
from shared.onnx_vqa import is_bundle
from shared.vqa.names.beside import beside_base
from shared.vqa.names.model_names import resolve_model
from shared.vqa.packed.record import PACKED_FILE, WEIGHTS, PackedRecord, packed_record
from shared.vqa.packed.whole import has_packed_weights, require_whole, without_record


def packed_folder(model: str) -> Path | None:
    """Return the folder with a packed model's record and weights; ``None`` where it is not packed.

    Raises:
        InputError: no such model; record or weights are missing, damaged, or not of each other.
    """
    found = _found(model)
    return None if found is None else found[0]


def packed_record_of(model: str) -> PackedRecord | None:
    """Return what is packed in a model; ``None`` where nothing is.

    Raises:
        InputError: as ``packed_folder``.
    """
    found = _found(model)
    return None if found is None else found[1]


def _found(model: str) -> tuple[Path, PackedRecord] | None:
    if is_bundle(model):
        return None
    path = beside_base(model, PACKED_FILE)
    if path is None:
        if has_packed_weights(Path(resolve_model(model))):
            raise without_record(model)
        return None
    if beside_base(model, WEIGHTS) is None:
        raise InputError(f"{model}: has {PACKED_FILE} without {WEIGHTS}, its weights")
    record = packed_record(path.parent)
    assert record is not None
    require_whole(path.parent, record)
    return path.parent, record
