"""Adapters that are rounded together with their packed base: a mark beside their weights.

Such an adapter moves rounded weights to other codes; added to them as they are, it says nothing.
"""

from __future__ import annotations

from pathlib import Path

from transformers import PreTrainedModel

from shared.corpus import write_json
from shared.errors import InputError
from shared.vqa.adapting.adapter_files import ROUNDED_TOGETHER
from shared.vqa.packed.rounding import is_packed


def mark_rounded_together(adapter: Path) -> None:
    """Write the mark beside an adapter."""
    write_json({"rounded": "with the packed base"}, adapter / ROUNDED_TOGETHER)


def is_rounded_together(adapter: Path) -> bool:
    """Return whether an adapter has the mark."""
    return (adapter / ROUNDED_TOGETHER).is_file()


def require_packed(adapter: Path, *, packed: bool) -> None:
    """Check that an adapter with the mark is given a packed base.

    Raises:
        InputError: it is not.
    """
    if is_rounded_together(adapter) and not packed:
        raise InputError(
            f"{adapter}: is rounded together with its packed base, which this base is not; give "
            "that without --quantize, or what `trainer merge` makes of both"
        )


def require_alone(adapter: Path, network: PreTrainedModel, *, company: bool) -> bool:
    """Return whether an adapter has the mark, and may be put on a network then.

    Raises:
        InputError: the network is not packed, or has other adapters.
    """
    require_packed(adapter, packed=is_packed(network))
    if company and is_rounded_together(adapter):
        raise InputError(
            f"{adapter}: is rounded together with its base, which others stand on too; such an "
            "adapter goes alone"
        )
    return is_rounded_together(adapter)
