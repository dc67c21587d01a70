"""How many of a model's answers a size keeps, with intervals by image; and where the knee is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from rich.table import Table

_RESAMPLES: Final = 2000
_SEED: Final = 0
_TAIL: Final = 2.5
"""Percent on either side of an interval of 95 percent."""
COLUMNS: Final = ("form", "bits a weight", "MB", "answers kept", "exact match")


@dataclass(frozen=True, slots=True)
class Share:
    """A share in [0, 1] with its interval of 95 percent: a bootstrap over images."""

    share: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Kept:
    """A model in one form: its bytes, bits a weight of what is rounded, and what its answers are.

    ``same`` are those that equal the exact model's, ``right`` those that equal the reference.
    """

    name: str
    method: str
    bits: float
    bytes: int
    same: Share
    right: Share


def share_of(marks: Sequence[bool], images: Sequence[str]) -> Share:
    """Return the share of marks that are set; questions of one image are drawn together."""
    places = {name: row for row, name in enumerate(dict.fromkeys(images))}
    rows = np.array([places[name] for name in images])
    asked = np.bincount(rows, minlength=len(places))
    hits = np.bincount(rows, weights=np.array(marks, dtype=float), minlength=len(places))
    drawn = np.random.default_rng(_SEED).integers(len(places), size=(_RESAMPLES, len(places)))
    shares = hits[drawn].sum(1) / asked[drawn].sum(1)
    low, high = np.percentile(shares, (_TAIL, 100 - _TAIL))
    return Share(float(hits.sum() / asked.sum()), float(low), float(high))


def front(rows: Sequence[Kept]) -> list[Kept]:
    """Return the rows that no smaller one keeps as much as, by size."""
    best: list[Kept] = []
    for row in sorted(rows, key=lambda row: (row.bytes, -row.same.share)):
        if not best or row.same.share > best[-1].same.share:
            best.append(row)
    return best


def knee(rows: Sequence[Kept]) -> Kept:
    """Return where the front bends most: the row farthest above the line between its ends.

    Sizes by their logarithm, as each halving counts alike: Satopaa et al. 2011, "Finding a
    'Kneedle' in a Haystack".
    """
    along = front(rows)
    if len(along) == 1:
        return along[0]
    sizes = np.log([row.bytes for row in along])
    shares = np.array([row.same.share for row in along])
    x = (sizes - sizes[0]) / (sizes[-1] - sizes[0])
    y = (shares - shares[0]) / (shares[-1] - shares[0])
    return along[int(np.argmax(y - x))]


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


def sizes_table(title: str, rows: Sequence[Kept]) -> Table:
    """Return every form that was compared, as a table for a terminal."""
    table = Table(*COLUMNS, title=title)
    for column in table.columns[1:]:
        column.justify = "right"
    for row in rows:
        table.add_row(*cells(row))
    return table
