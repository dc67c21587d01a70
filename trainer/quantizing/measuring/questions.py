"""Which questions sensitivities are measured with, and which others the result is checked with."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shared.corpus import NO_COLUMNS, ColumnNames, read_pairs
from shared.errors import InputError
from shared.images.names import is_file_below, with_file_names
from shared.records import QAPair
from shared.records.grouping import by_image
from shared.vqa.trained_on import known_training
from trainer.export.checking import CheckedQuestions, kept_questions, questions_of
from trainer.fitting.record import DATASET

_SEED: Final = 0
_HELD_OUT: Final = "test"


@dataclass(frozen=True, slots=True)
class QuantizeQuestions:
    """Calibration pairs, and pairs about other images to check with."""

    calibration: tuple[QAPair, ...]
    check: CheckedQuestions


def quantize_questions(
    base: str,
    adapter: Path | None,
    data: Path | None,
    images: Path | None,
    *,
    columns: ColumnNames = NO_COLUMNS,
    calibration: int,
    check: int,
) -> QuantizeQuestions:
    """Draw both, image by image; of an adapter without ``data``, from the pairs it was trained by.

    Raises:
        InputError: pairs or images are not there, or nothing is left to calibrate with.
    """
    if data is None:
        if adapter is None:
            raise InputError("--data: give the questions to calibrate and to check with")
        checked = kept_questions(adapter, images, check)
        pairs = read_pairs(adapter / DATASET)
    else:
        if images is None:
            raise InputError("--images: give the folder of the pictures of --data")
        adapters = [] if adapter is None else [adapter]
        training = known_training(base, adapters).images
        checked = questions_of(data, images, check, training, columns)
        pairs = with_file_names(read_pairs(data, columns), images, data)
    return QuantizeQuestions(_calibration(pairs, checked, calibration), checked)


def _calibration(
    pairs: Sequence[QAPair], checked: CheckedQuestions, wanted: int
) -> tuple[QAPair, ...]:
    """Return pairs about other images than those that the result is checked with."""
    asked = {pair.filename for pair in checked.pairs}
    groups = by_image(
        [pair for pair in pairs if pair.filename not in asked and pair.split != _HELD_OUT]
    )
    names = sorted(groups)
    random.Random(_SEED).shuffle(names)
    drawn: list[QAPair] = []
    for name in names:
        if len(drawn) >= wanted:
            break
        if is_file_below(checked.images, name):
            drawn += groups[name]
    if not drawn:
        raise InputError(
            "no question is left to calibrate with: every image is one that the result is checked "
            "with; give more data, or fewer --check-questions"
        )
    return tuple(drawn[:wanted])
