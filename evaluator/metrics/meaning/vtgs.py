"""VTGS, the visual-textual grounding score of the report, equations 9 to 14.

Pure arithmetic: the regions come from the model (``evaluator.answering.replica``), the cosines from
``evaluator.metrics.text_models.embeddings``. The quantity that the report's code computed, with
CLIP, is another one and has another name, ``vtgs_clip``; its cosines come from
``evaluator.metrics.text_models.clip``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

BETA: Final = 0.5
"""Weight of the text against the picture (eq. 14)."""


def vtgs(
    sim_text_N: NDArray[np.float64],
    sim_vis_N: NDArray[np.float64],
    *,
    beta: float = BETA,
) -> NDArray[np.float64]:
    """Return ``sim_text**beta * sim_vis**(1 - beta)`` for each row, shape (N,) (eq. 14).

    Args:
        sim_text_N: textual similarity in [0, 1] (eq. 9; as in CSNS's text case).
        sim_vis_N: visual overlap in [0, 1]; NaN where it was not measured, which stays NaN.
        beta: weight of the text, in [0, 1].
    """
    return sim_text_N**beta * sim_vis_N ** (1.0 - beta)


def vtgs_clip(
    bertscore_N: NDArray[np.float64], cosines_N: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return ``sqrt(BERTScore_F1 * (cosine + 1) / 2)`` for each row, shape (N,), as in the code.

    Args:
        bertscore_N: BERTScore F1 of answer and reference; below 0 counts as 0.
        cosines_N: CLIP's cosine of picture and answer, in [-1, 1]; NaN where the picture cannot be
            read, which scores 0.
    """
    seen_N = np.nan_to_num((cosines_N + 1) / 2, nan=0.0)
    result: NDArray[np.float64] = np.sqrt(np.maximum(bertscore_N, 0.0) * seen_N)
    return result


def jaccard(
    regions_NP: NDArray[np.bool_],
    others_NP: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Return the overlap of two sets of image patches for each row, shape (N,) (eq. 13).

    Intersection over union of the true patches; 0 where both sets are empty, since no region
    grounds nothing.
    """
    union = np.logical_or(regions_NP, others_NP).sum(axis=-1)
    shared = np.logical_and(regions_NP, others_NP).sum(axis=-1)
    return np.asarray(shared / np.maximum(union, 1), dtype=np.float64)


def measured(sim_vis: Sequence[float | None]) -> NDArray[np.float64]:
    """Return the visual overlaps as an array, NaN where there is none."""
    return np.array(sim_vis, dtype=np.float64)
