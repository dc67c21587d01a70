"""What is packed in a model folder: `packed.json` beside its weights, read without torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from shared.corpus import read_json, write_json
from shared.errors import InputError
from shared.value_class import value_class
from shared.vqa.names.base_place import BASE_FOLDER, base_folder, place_of_base

PACKED_FILE: Final = "packed.json"
WEIGHTS: Final = "model.safetensors"
CODES_TOGETHER: Final = 8
"""Codes that fill as many bytes as each has bits."""
_VERSION: Final = 1


def packed_length(shape: tuple[int, int], bits: int) -> int:
    """Return how many bytes packed codes of this shape take."""
    return -(-shape[0] * shape[1] // CODES_TOGETHER) * bits


@value_class
class PackedPart:
    """A weight ``(outputs, inputs)`` that is packed: the layers that share it, the first first."""

    names: tuple[str, ...]
    shape: tuple[int, int]
    bits: int
    group: int

    @property
    def groups(self) -> int:
        """Groups of a row."""
        return self.shape[1] // self.group


@value_class
class PackedRecord:
    """The packed parts of a model, and what it was made of.

    ``shared`` has the names of tensors that are stored under another's. ``base`` is a model that
    has the exact weights, with its revision: where its folder lies now, or a hub id.
    """

    parts: tuple[PackedPart, ...]
    shared: Mapping[str, str]
    base: str
    base_revision: str
    method: str


def write_packed_record(record: PackedRecord, folder: Path, kept_in: Path | None = None) -> None:
    """Write the record beside the weights in ``folder``, which will be renamed to ``kept_in``."""
    place = place_of_base(record.base, kept_in or folder)
    content = {"version": _VERSION, **asdict(record), **place}
    write_json(content, folder / PACKED_FILE)


def packed_record(folder: Path) -> PackedRecord | None:
    """Return what is packed in a model folder; ``None`` where nothing is.

    Raises:
        InputError: the file is damaged, or of a version that is not known here.
    """
    path = folder / PACKED_FILE
    if not path.is_file():
        return None
    content = read_json(path)
    if content.pop("version", None) != _VERSION:
        raise InputError(
            f"{path}: not of version {_VERSION}, the only one known here; quantize again"
        )
    try:
        shared = {str(name): str(other) for name, other in content["shared"].items()}
        base = base_folder(folder, content) or content["base"]
        own = {name: value for name, value in content.items() if name != BASE_FOLDER}
        read = {"parts": _parts(content["parts"]), "shared": shared, "base": base}
        return PackedRecord(**{**own, **read})
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: not a record of packed weights ({error!r})") from error


def _parts(rows: Sequence[Mapping[str, Any]]) -> tuple[PackedPart, ...]:
    parts = []
    for row in rows:
        outputs, inputs = map(int, row["shape"])
        bits, group = int(row["bits"]), int(row["group"])
        names = tuple(map(str, row["names"]))
        if not (names and all(names)) or bits not in {2, 3, 4, 8}:
            raise ValueError(row)
        if min(outputs, inputs, group) < 1 or inputs % group:
            raise ValueError(row)
        parts.append(PackedPart(names, (outputs, inputs), bits, group))
    return tuple(parts)
