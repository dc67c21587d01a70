"""Adapters that are rounded together with their packed base: a mark beside their weights.

Such an adapter moves rounded weights to other codes; added to them as they are, it says nothing.
"""

from __future__ import annotations

from pathlib import Path

from shared.corpus import read_json, write_json
from shared.errors import InputError
from shared.vqa.adapting.adapter_files import ROUNDED_TOGETHER, TRAINING_RECORD
from shared.vqa.names.weights_revision import OF_NO_WEIGHTS, weights_revision
from shared.vqa.packed.place import packed_folder
from shared.vqa.quantization import Quantization


def mark_rounded_together(adapter: Path) -> None:
    """Write the mark beside an adapter."""
    write_json({"rounded": "with the packed base"}, adapter / ROUNDED_TOGETHER)


def is_rounded_together(adapter: Path) -> bool:
    """Return whether an adapter has the mark."""
    return (adapter / ROUNDED_TOGETHER).is_file()


def require_its_base(adapter: Path, base: str, held: Quantization) -> None:
    """Check that an adapter with the mark is given the packed base that it was trained on.

    Its updates move codes of that base's own grid; an adapter that no run made names none.

    Raises:
        InputError: the base is not packed, or another one.
    """
    if not is_rounded_together(adapter):
        return
    way_out = "or what `trainer merge` makes of both"
    if held is not Quantization.PACKED:
        raise InputError(
            f"{adapter}: is rounded together with its packed base, which this base is not; give "
            f"that without --quantize, {way_out}"
        )
    record = adapter / TRAINING_RECORD
    told = read_json(record) if record.is_file() else {}
    trained_on = told.get("base_revision")
    folder = packed_folder(base)
    # A hub's cache keeps each revision in a folder named by its commit.
    here = set() if folder is None else {folder.name, weights_revision(folder)}
    if trained_on not in {None, "", OF_NO_WEIGHTS, *here}:
        raise InputError(
            f"{adapter}: is rounded together with another packed base than {base} "
            f"({told.get('base') or trained_on}); give that, {way_out}"
        )


def require_alone(adapter: Path, *, company: bool) -> bool:
    """Return whether an adapter has the mark, and may be put on a network then.

    Raises:
        InputError: the network has other adapters.
    """
    if company and is_rounded_together(adapter):
        raise InputError(
            f"{adapter}: is rounded together with its base, which others stand on too; such an "
            "adapter goes alone"
        )
    return is_rounded_together(adapter)
