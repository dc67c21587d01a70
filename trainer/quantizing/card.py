"""What a quantised model says of itself: the card in its folder, and the table on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.table import Table

from shared.hub.figures import CardFigure
from shared.hub.model_card import card_head

if TYPE_CHECKING:
    from trainer.quantizing.kept import Kept
    from trainer.quantizing.order import QuantizeResult

COLUMNS: Final = ("form", "bits a weight", "MB", "answers kept", "exact match")


def cells(row: Kept) -> tuple[str, ...]:
    """Return one row of the table."""
    same, right = row.same, row.right
    return (
        row.name,
        f"{row.bits:.2f}" if row.bits else "",
        f"{row.bytes / 1e6:,.2f}",
        f"{100 * same.share:.1f}% ({100 * same.low:.1f} to {100 * same.high:.1f})",
        f"{right.share:.4f} ({right.low:.4f} to {right.high:.4f})",
    )


def quantize_table(result: QuantizeResult) -> Table:
    """Return every form that was compared, the one that was written first."""
    asked = f"{result.questions} {result.split} questions".replace("  ", " ")
    table = Table(*COLUMNS, title=f"{result.folder}: {asked}")
    for column in table.columns[1:]:
        column.justify = "right"
    for row in result.sizes:
        table.add_row(*cells(row))
    return table


def quantized_card(result: QuantizeResult, base: str, family: str) -> str:
    """Return the README.md of a quantised model."""
    rows = "\n".join(f"| {' | '.join(cells(row))} |" for row in result.sizes)
    bits = "\n".join(f"| `{name}` | {bits} |" for name, bits in result.bits_by_part.items())
    split = f" of the split {result.split}" if result.split else ""
    right = result.chosen.right
    figure = CardFigure(
        "exact_match",
        right.share,
        result.questions,
        data=result.data,
        split=result.split,
        ci95=(right.low, right.high),
    )
    facts = {"base_model": base, "tags": [family.lower(), "vqa", "abo-vqa"]}
    return f"""{card_head(result.folder.resolve().name, [figure], facts)}

# {base}, quantised

A {family} in packed weights: {result.weights_bytes / 1e6:,.2f} MB. Made by `trainer quantize` of
abo-vqa, whose commands load it; plain transformers does not know its layers.

## What it keeps

On {result.questions} questions{split}, with intervals of 95 percent by image. Kept are answers
equal to those of the exact model; a weight's bits include its share of the scales. The knee is
`{result.knee}`; the chart is `sizes.svg`.

| {" | ".join(COLUMNS)} |
| --- | ---: | ---: | ---: | ---: |
{rows}

## Bits by part

16 is not rounded.

| part | bits |
| --- | ---: |
{bits}
"""
