"""VTGS, the visual-textual grounding score of the AIM825 report, equations 9 to 14.

The arithmetic is pure: the regions come from the model (``evaluator.answering.replica``), the
cosines from ``evaluator.metrics.text_models.embeddings``. The quantity that the code
behind that report computed, with CLIP, is another one and has another name, ``vtgs_clip``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from evaluator.metrics.meaning.csns import text_similarity
from evaluator.metrics.metric import Metric
from evaluator.metrics.rows import Regions, Rows
from evaluator.metrics.text_models.loaded import TextModel, TextModels, needed
from shared.errors import InputError

NAME: Final = "vtgs"
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

    >>> vtgs(np.array([0.64, 1.0]), np.array([0.25, np.nan]))
    array([0.4, nan])
    """
    return sim_text_N**beta * sim_vis_N ** (1.0 - beta)


def jaccard(
    regions_NP: NDArray[np.bool_],
    others_NP: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Return the overlap of two sets of image patches for each row, shape (N,) (eq. 13).

    Intersection over union of the true patches; 0 where both sets are empty, since no region
    grounds nothing.

    >>> jaccard(np.array([[True, True, False]]), np.array([[True, False, False]]))
    array([0.5])
    """
    union = np.logical_or(regions_NP, others_NP).sum(axis=-1)
    shared = np.logical_and(regions_NP, others_NP).sum(axis=-1)
    return np.asarray(shared / np.maximum(union, 1), dtype=np.float64)


def grounded(rows: Rows, models: TextModels, metric: str, against: Regions) -> NDArray[np.float64]:
    """Return VTGS of each row with the overlap that predictions have in a column, shape (N,).

    Raises:
        InputError: no prediction has a value there.
    """
    if against not in rows.measured:
        raise InputError(
            f"--metrics {metric}: no prediction has a value in column `{against.value}`; leave "
            f"{metric} out, or let `evaluator run` make the predictions"
        )
    sentences = needed(models.sentences, metric)
    similar_N = rows.best(lambda a, r: text_similarity(sentences.cosines(a, r)))
    return vtgs(similar_N, rows.overlaps[against])


def grounded_definition(models: TextModels, provenance: Mapping[str, Any], metric: str) -> str:
    """Return which model compares the texts, and where the regions come from."""
    regions = provenance.get("grounding") or "regions of unknown origin"
    return f"{needed(models.sentences, metric).signature}|beta {BETA:g}|{regions}"


METRIC: Final = Metric(
    name=NAME,
    label="VTGS",
    score=lambda rows, models: grounded(rows, models, NAME, Regions.QUESTION),
    definition=lambda models, provenance: grounded_definition(models, provenance, NAME),
    models=frozenset({TextModel.SENTENCES}),
    regions=Regions.QUESTION,
    by_default=True,
    shows_spread=True,
)
