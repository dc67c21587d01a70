"""What is asked of a quantisation, and what came of it; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from shared.corpus import ColumnNames
from shared.errors import InputError
from shared.program.reporting.notebook import html_of
from trainer.quantizing.kept import Kept, sizes_table
from trainer.quantizing.rounding import Method


@dataclass(frozen=True, slots=True)
class QuantizeOrder:
    """What is asked for; see ``trainer quantize --help``.

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


def method_named(name: str) -> Method:
    """Return the way of rounding with a name.

    Raises:
        InputError: there is none.
    """
    try:
        return Method(name)
    except ValueError as error:
        known = ", ".join(Method)
        raise InputError(f"method {name!r}: not known; take one of {known}") from error


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
    bits_by_part: Mapping[str, int] = field(repr=False)
    sizes: tuple[Kept, ...] = field(repr=False)
    knee: str

    @property
    def chosen(self) -> Kept:
        """The form that was written."""
        return self.sizes[0]

    def sentence(self) -> str:
        """Return the result in a line."""
        chosen = self.chosen
        return (
            f"{self.folder}: {self.weights_bytes / 1e6:,.2f} MB of weights, {chosen.bits:.2f} bits "
            f"each; keeps {100 * chosen.same.share:.1f}% of the answers; the knee is {self.knee}"
        )

    def table(self) -> Table:
        """Return every form that was compared, the one that was written first."""
        asked = f"{self.questions} {self.split} questions".replace("  ", " ")
        return sizes_table(f"{self.folder}: {asked}", self.sizes)

    def _repr_html_(self) -> str:
        return html_of(self.table(), escape(self.sentence()))
