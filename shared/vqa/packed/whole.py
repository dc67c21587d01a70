"""Whether the record and the weights of a packed folder belong together; no weight is read."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Final

from safetensors import SafetensorError, safe_open

from shared.errors import InputError
from shared.vqa.packed.record import PACKED_FILE, WEIGHTS, PackedPart, PackedRecord, packed_length

PACKED_TENSORS: Final = ("codes", "scales", "zeros")
"""What a packed layer has in the place of its weight, as names of tensors end."""
_WAY_OUT: Final = "copy the whole folder again, or let `trainer quantize` write it again"


def require_whole(folder: Path, record: PackedRecord) -> None:
    """Check that the weights have what the record says, in the shapes that it says.

    Raises:
        InputError: they are damaged, cut, or another model's; or the record was changed.
    """
    try:
        stored = _shapes(folder / WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise InputError(
            f"{folder / WEIGHTS}: not a safetensors file, or only a part of one ({error}); "
            f"{_WAY_OUT}"
        ) from error
    amiss = next(_amiss(record, stored), "")
    if amiss:
        raise InputError(
            f"{folder}: {PACKED_FILE} and {WEIGHTS} do not belong together ({amiss}); {_WAY_OUT}"
        )


def without_record(model: str) -> InputError:
    """Return the error of packed weights without their record."""
    return InputError(
        f"{model}: its weights are packed, but {PACKED_FILE}, which says how, is not beside "
        "them; give the whole folder that `trainer quantize` or `trainer merge` wrote"
    )


def has_packed_weights(folder: Path) -> bool:
    """Return whether weights of a folder are packed, by the names of its tensors alone."""
    try:
        names = _shapes(folder / WEIGHTS).keys()
    except (OSError, SafetensorError):
        return False
    return bool(_packed_layers(names))


def _packed_layers(names: Collection[str]) -> list[str]:
    layers = (name.removesuffix(".codes") for name in names if name.endswith(".codes"))
    return [layer for layer in layers if all(f"{layer}.{each}" in names for each in PACKED_TENSORS)]


def _shapes(path: Path) -> dict[str, list[int]]:
    with safe_open(path, framework="numpy") as file:
        return {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118


def _amiss(record: PackedRecord, stored: Mapping[str, list[int]]) -> Iterator[str]:
    for name in record.shared.values():
        if name not in stored:
            yield f"no {name}"
    told = {layer for part in record.parts for layer in part.names}
    yield from (f"{layer} is not told of" for layer in _packed_layers(stored) if layer not in told)
    for part in record.parts:
        for layer in part.names:
            for end, shape in zip(PACKED_TENSORS, _shapes_of(part), strict=True):
                name = record.shared.get(f"{layer}.{end}", f"{layer}.{end}")
                if name not in stored:
                    yield f"no {name}"
                elif stored[name] != shape:
                    yield f"{name} is {stored[name]}, not {shape}"


def _shapes_of(part: PackedPart) -> tuple[list[int], list[int], list[int]]:
    grid = [part.shape[0], part.groups]
    return [packed_length(part.shape, part.bits)], grid, grid
