"""How a base's weights are held; names that commands offer without loading torch."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from shared.errors import InputError


class Quantization(StrEnum):
    """How the base's weights are held."""

    NF4 = "nf4"
    INT8 = "int8"
    HQQ4 = "hqq4"
    HQQ3 = "hqq3"
    HQQ2 = "hqq2"
    AO_INT8 = "ao-int8"
    AO_INT4 = "ao-int4"
    GPTQ = "gptq"
    AUTOROUND = "autoround"
    PACKED = "packed"
    NONE = "none"


WHAT_EACH_IS: Final = (
    "nf4: QLoRA's 4 bits; int8: bitsandbytes' LLM.int8; hqq4, hqq3, hqq2: so many bits by "
    "half-quadratic quantisation; ao-int8, ao-int4: torchao's (int4 on a GPU alone); gptq, "
    "autoround: a checkpoint that these made, on a GPU alone; packed: what trainer quantize made, "
    "whatever else is asked for but none; none: as it is, in floating point"
)
HALF_QUADRATIC_BITS: Final = {
    Quantization.HQQ4: 4,
    Quantization.HQQ3: 3,
    Quantization.HQQ2: 2,
}
_OF_PACKED: Final = frozenset({Quantization.NF4, Quantization.PACKED, Quantization.NONE})
"""What may be asked for where weights are packed: NF4 is what is meant where nothing is said."""
TRAINED_ON: Final = frozenset(
    {
        Quantization.NF4,
        Quantization.INT8,
        Quantization.AO_INT8,
        Quantization.PACKED,
        Quantization.NONE,
        *HALF_QUADRATIC_BITS,
    }
)
"""Those through which gradients were seen to reach an adapter."""


def held_as(model: str, asked: Quantization) -> Quantization:
    """Return how a model is held where ``asked`` is given.

    Raises:
        InputError: packed weights are asked for where there are none, or others where there are.
    """
    # It reads data files, whose libraries --help need not wait for.
    from shared.vqa.packed.place import packed_folder  # noqa: PLC0415

    is_packed = packed_folder(model) is not None
    if is_packed and asked not in _OF_PACKED:
        raise InputError(
            f"--quantize {asked.value}: {model} is packed already; leave --quantize out"
        )
    if asked is Quantization.PACKED and not is_packed:
        raise InputError(
            f"--quantize packed: {model} is not packed; `trainer quantize` makes such a model"
        )
    return Quantization.PACKED if is_packed and asked is not Quantization.NONE else asked


def rounded_as(model: str, held: Quantization) -> Quantization:
    """Return the format whose weights a model has: unpacked, they are still the packed ones.

    Raises:
        InputError: as ``packed_folder``.
    """
    from shared.vqa.packed.place import packed_folder  # noqa: PLC0415 - as above

    return held if packed_folder(model) is None else Quantization.PACKED
