"""BERTScore F1 (Zhang et al. 2020): how well the words of two answers match in a model's eyes."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from evaluator.metrics.metric import Metric, MetricGroup
from evaluator.metrics.rows import Rows
from evaluator.metrics.text_models.loaded import TextModel, TextModels, needed

NAME: Final = "bertscore_f1"


def _score(rows: Rows, models: TextModels) -> NDArray[np.float64]:
    return rows.best(needed(models.words, NAME).f1)


METRIC: Final = Metric(
    name=NAME,
    label="BERTScore F1",
    score=_score,
    definition=lambda models, _provenance: needed(models.words, NAME).signature,
    bounds=(-1.0, 1.0),
    models=frozenset({TextModel.WORDS}),
    library="bert-score",
    by_default=True,
    groups=frozenset({MetricGroup.ALL}),
)
