"""What a quantised model says of itself: the card in its folder."""

from __future__ import annotations

from shared.hub.figures import CardFigure
from shared.hub.model_card import card_head
from trainer.quantizing.kept import COLUMNS, cells
from trainer.quantizing.order import QuantizeResult


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
