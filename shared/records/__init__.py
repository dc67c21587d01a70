"""The records that the parts hand to each other, and the boxes that they may hold."""

from shared.records.records import (
    COLUMN_ALIASES,
    SPLIT_WORDS,
    SPLITS,
    ImageRef,
    Listing,
    Prediction,
    Provenance,
    QAPair,
    Question,
    Split,
    is_unicode,
    pair_id,
    unnamed_image,
)

__all__ = [
    "COLUMN_ALIASES",
    "SPLITS",
    "SPLIT_WORDS",
    "ImageRef",
    "Listing",
    "Prediction",
    "Provenance",
    "QAPair",
    "Question",
    "Split",
    "is_unicode",
    "pair_id",
    "unnamed_image",
]
