"""How a base's weights are held; names that commands offer without loading torch."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


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
    NONE = "none"


WHAT_EACH_IS: Final = (
    "nf4: QLoRA's 4 bits; int8: bitsandbytes' LLM.int8; hqq4, hqq3, hqq2: so many bits by "
    "half-quadratic quantisation; ao-int8, ao-int4: torchao's (int4 on a GPU alone); gptq, "
    "autoround: a checkpoint that these made, on a GPU alone; none: as it is"
)
HALF_QUADRATIC_BITS: Final = {
    Quantization.HQQ4: 4,
    Quantization.HQQ3: 3,
    Quantization.HQQ2: 2,
}
TRAINED_ON: Final = frozenset(
    {
        Quantization.NF4,
        Quantization.INT8,
        Quantization.AO_INT8,
        Quantization.NONE,
        *HALF_QUADRATIC_BITS,
    }
)
"""Those through which gradients were seen to reach an adapter."""
