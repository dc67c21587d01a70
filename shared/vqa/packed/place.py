"""Where a packed model lies: a folder of this machine, or one that a hub's files are fetched to."""

from __future__ import annotations

from pathlib import Path

from shared.errors import InputError
from shared.onnx_vqa import is_bundle
from shared.vqa.names.beside import beside_base
from shared.vqa.packed.record import PACKED_FILE, WEIGHTS, PackedRecord, packed_record


def packed_folder(model: str) -> Path | None:
    """Return the folder with a packed model's record and weights; ``None`` where it is not packed.

    Raises:
        InputError: no such model, or the record is there without the weights.
    """
    record = None if is_bundle(model) else beside_base(model, PACKED_FILE)
    if record is None:
        return None
    if beside_base(model, WEIGHTS) is None:
        raise InputError(f"{model}: has {PACKED_FILE} without {WEIGHTS}, its weights")
    return record.parent


def packed_record_of(model: str) -> PackedRecord | None:
    """Return what is packed in a model; ``None`` where nothing is.

    Raises:
        InputError: as ``packed_folder`` and ``packed_record``.
    """
    folder = packed_folder(model)
    return None if folder is None else packed_record(folder)
