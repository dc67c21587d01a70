"""What is asked of a quantisation, and what came of it; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from shared.corpus import ColumnNames
from trainer.quantizing.kept import Kept
from trainer.quantizing.rounding import Method


@dataclass(frozen=True, slots=True)
class QuantizeOrder:
    """What the command line asks for; see ``trainer quantize --help``.

    One of ``budget_mb`` and ``bits`` is given: of the file of weights, or of a rounded weight with
    its share of the scales.
    """

    model: str
    out: Path
    adapter: Path | None = None
    budget_mb: float | None = None
    bits: float | None = None
    method: Method = Method.GPTQ
    data: Path | None = None
    images: Path | None = None
    columns: ColumnNames = field(default_factory=dict)
    questions: int = 64
    check_questions: int = 200


@dataclass(frozen=True, slots=True)
class QuantizeResult:
    """What was written: bits by part, every form that was compared, and where the knee is.

    The first of ``sizes`` is what was written.
    """

    folder: Path
    data: str
    questions: int
    split: str
    weights_bytes: int
    bits_by_part: Mapping[str, int]
    sizes: tuple[Kept, ...]
    knee: str

    @property
    def chosen(self) -> Kept:
        """The form that was written."""
        return self.sizes[0]
