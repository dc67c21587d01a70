"""The scores of predictions: one column a metric, and what corpus figures count beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from evaluator.metrics.corpus import Counter
from evaluator.metrics.metric import Metric
from evaluator.metrics.rows import Rows
from evaluator.metrics.text_models.loaded import TextModels
from shared.records import Prediction

Columns = Mapping[str, NDArray[np.float64]]
"""One score for each prediction, by metric; NaN where a prediction has none.

After the scores stand what corpus figures count, see ``evaluator.metrics.corpus.is_statistic``.
"""


def score_columns(
    predictions: Sequence[Prediction], metrics: Sequence[Metric], text_models: TextModels
) -> Columns:
    """Return each metric's score for each prediction; an answer to a broken image scores 0.

    A pair to which people found no right answer has no score.

    Raises:
        InputError: a metric is asked for that no row has what it takes for.
    """
    rows = Rows.of(predictions)
    broken_N = np.array([prediction.is_unanswered for prediction in predictions])
    has_right_N = np.array([prediction.pair.has_right_answer for prediction in predictions])
    columns: dict[str, NDArray[np.float64]] = {}
    counters: dict[str, Counter] = {}
    for metric in metrics:
        scores_N = np.where(broken_N, 0.0, metric.score(rows, text_models))
        # Nothing to score, whether the image is broken or not.
        columns[metric.name] = np.where(metric.judges(rows) & has_right_N, scores_N, np.nan)
        if metric.corpus is not None:
            counters[metric.corpus.counter.name] = metric.corpus.counter
    for counter in counters.values():
        for name, counts_N in counter.columns_of(rows).items():
            columns[name] = np.where(broken_N | ~has_right_N, 0.0, counts_N)
    return columns
