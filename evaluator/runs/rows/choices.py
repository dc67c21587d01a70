"""Which rows a run takes, in the words of its options; no library of data is loaded for them."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

SHUFFLE_SAMPLE: Final = 200
"""Images of the shuffled control unless told otherwise: some 1,000 questions, an interval of about
three points to either side."""


class SplitChoice(StrEnum):
    """A part of a data set; ``auto`` is the test split, or everything where there is no split."""

    AUTO = "auto"
    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"
    ALL = "all"
