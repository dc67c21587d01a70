"""VTGS by CLIP, as the code behind the AIM825 report computed it; its text says something else.

The cosines come from ``evaluator.metrics.text_models.clip``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from evaluator.metrics.metric import Metric
from evaluator.metrics.rows import Rows
from evaluator.metrics.text_models.loaded import TextModel, TextModels, needed
from evaluator.metrics.tools import CLIP, require_folder

NAME: Final = "vtgs_clip"


def vtgs_clip(
    bertscore_N: NDArray[np.float64], cosines_N: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return ``sqrt(BERTScore_F1 * (cosine + 1) / 2)`` for each row, shape (N,), as in the code.

    Args:
        bertscore_N: BERTScore F1 of answer and reference; below 0 counts as 0.
        cosines_N: CLIP's cosine of picture and answer, in [-1, 1]; NaN where the picture cannot be
            read, which scores 0.

    >>> vtgs_clip(np.array([0.8, 0.8]), np.array([-0.6, np.nan]))
    array([0.4, 0. ])
    """
    seen_N = np.nan_to_num((cosines_N + 1) / 2, nan=0.0)
    result: NDArray[np.float64] = np.sqrt(np.maximum(bertscore_N, 0.0) * seen_N)
    return result


def _score(rows: Rows, models: TextModels) -> NDArray[np.float64]:
    cosines_N = needed(models.clip, NAME).cosines(rows.filenames, rows.answers)
    return vtgs_clip(rows.best(needed(models.words, NAME).f1), cosines_N)


def _definition(models: TextModels, _provenance: Mapping[str, Any]) -> str:
    return f"{needed(models.clip, NAME).signature}|{needed(models.words, NAME).signature}"


METRIC: Final = Metric(
    name=NAME,
    label="VTGS (CLIP)",
    score=_score,
    definition=_definition,
    models=frozenset({TextModel.CLIP, TextModel.WORDS}),
    require_tool=lambda: require_folder(NAME, "open_clip", CLIP),
    shows_spread=True,
)
