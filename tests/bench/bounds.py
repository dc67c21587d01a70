"""What bounds the sections whose rows do not say it themselves, as their figures or a profile show.

Shares of a profile are of the main thread's time (cProfile, two cores of an AMD EPYC).
"""

from __future__ import annotations

from typing import Final

SEEN: Final = "30 November 2026"
BOUNDS: Final = {
    "start": "Python and the import of typer, without which there are no commands.",
    "commands": "Python and the import of typer: see `start`.",
    "requests": "HTTP by aiohttp, whose bare loop is the reference of the second row.",
    "ledger": "the one thread that SQLite lets write; the loop waits for it in 60% of its time.",
    "ledger-full-size": "making and writing rows, for which sqlite3 and csv alone stand.",
    "fit": (
        "convolutions of the pictures, encoded once, 22%; products and gradients of the text "
        "towers about 30%; Python of torch and transformers around small products 21%."
    ),
    "fit-chat": "products 55%, gradients 23%, attention 11%.",
    "scores": "products of the text encoders, 65%, of both sides together.",
    "intervals": "Python that reads, scores and shows 150,000 rows; no library has a tenth of it.",
    "exported": "the graph alone: CPU time of a question is all of its time.",
    "exported-full-size": "the graph alone: CPU time of a question is all of its time.",
}
