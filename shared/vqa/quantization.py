"""How a base's weights are held; a name that commands offer without loading torch."""

from __future__ import annotations

from enum import StrEnum


class Quantization(StrEnum):
    """How the base's weights are held."""

    NF4 = "nf4"
    NONE = "none"
