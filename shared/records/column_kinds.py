"""Columns of pairs beyond those that every data set has: what a prompt asked for besides."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class ColumnKind(StrEnum):
    """What a further column holds."""

    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"


ExtraColumns = Mapping[str, ColumnKind]
NO_EXTRA: Final[ExtraColumns] = MappingProxyType({})
