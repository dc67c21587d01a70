"""Which runs are about the same data: the same questions on the same images, or asked so."""

from __future__ import annotations

from collections.abc import Sequence

from evaluator.history.entries import Entry
from shared.dataset.joined import Joined


def groups_by_data(entries: Sequence[Entry]) -> list[list[Entry]]:
    """Return the runs about each data, in the order of each group's first run.

    Runs belong together that have the same rows, or that were asked the same and left out what
    their models had been trained on.
    """
    joined: Joined[tuple[str, str]] = Joined()
    for place, entry in enumerate(entries):
        label = ("run", f"{place:09d}")
        joined.join(label, ("rows", entry.rows_sha256))
        trained_on = entry.record.trained_on
        asked = trained_on.asked_sha256 if trained_on else entry.record.data_sha256
        if asked:
            joined.join(label, ("asked", asked))
    groups: dict[tuple[str, str], list[Entry]] = {}
    for place, entry in enumerate(entries):
        groups.setdefault(joined.root(("run", f"{place:09d}")), []).append(entry)
    return list(groups.values())
