"""Other people's pages on which pairs can be judged, by the words that name them."""

from __future__ import annotations

from enum import StrEnum


class Page(StrEnum):
    """Whose page the pairs are judged on."""

    LABEL_STUDIO = "label-studio"
    ARGILLA = "argilla"
