"""``curator agreement``: what agreement with the listing looks at, as a file to edit."""

from __future__ import annotations

import sys

from curator.judging.listing_map import map_text


def agreement() -> None:
    """Print which fields of a listing answer which questions.

    Edited, the file is given to `run` and `reparse` with --agreement FILE.
    """
    sys.stdout.write(map_text())
