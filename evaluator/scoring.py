"""From predictions to a scorecard: the one way, for runs and for files alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from evaluator.csns import ALPHA, EPSILON, csns, text_similarity
from evaluator.metrics import OVERLAP_METRICS, REPORT_METRICS, SENTENCE_METRICS, Metric
from evaluator.question_types import question_type
from evaluator.scorecard import FREQUENCIES, Scorecard, break_down
from evaluator.tally import Cell, Tally
from evaluator.text_models import TextModels
from evaluator.vtgs import BETA, measured, vtgs
from shared.answers import normalise
from shared.errors import InputError
from shared.prior import QuestionPrior
from shared.records import Prediction, QAPair

Columns = Mapping[str, NDArray[np.float64]]
"""One score for each prediction, by metric; NaN where a prediction has none."""

_FREQUENCY_BOUNDS: Final = (10, 100)
_VERSIONS_OF: Final = ("abo-vqa", "numpy", "torch", "transformers", "peft", "bitsandbytes", "ray")


def score_predictions(
    predictions: Sequence[Prediction],
    *,
    metrics: Sequence[Metric],
    text_models: TextModels,
    train_pairs: Sequence[QAPair] | None,
    provenance: Mapping[str, Any],
) -> tuple[Scorecard, Columns]:
    """Score predictions and, where training pairs are given, the question-only prior beside them.

    Args:
        predictions: answers with their references, in any order.
        metrics: what to compute, see ``default_metrics``.
        text_models: loaded models for these metrics, see ``load_text_models``.
        train_pairs: what the prior learns from; never rows that are scored here.
        provenance: what is known about how the answers were made.

    Returns:
        The scorecard, and the score of each prediction in the order given.

    Raises:
        InputError: there is nothing to score, or VTGS is asked for and no prediction has regions.
    """
    if not predictions:
        raise InputError("nothing to score: there are no predictions")
    columns = score_columns(predictions, metrics, text_models)
    cells = _cells(predictions)
    prior, over_prior = None, {}
    if train_pairs:
        guessed = _prior_columns(predictions, train_pairs, metrics, text_models)
        gains = {name: columns[name] - guess for name, guess in guessed.items()}
        prior = break_down(Tally.of(cells, guessed))
        over_prior = dict(break_down(Tally.of(cells, gains)).metrics)
    scorecard = Scorecard(
        images=len({p.pair.filename for p in predictions}),
        broken_images=len({p.pair.filename for p in predictions if p.broken_image}),
        scores=break_down(Tally.of(cells, columns)),
        prior=prior,
        over_prior=over_prior,
        signatures={metric.value: signature(metric, text_models) for metric in metrics},
        provenance={**provenance, "versions": _versions()},
    )
    return scorecard, columns


def default_metrics(predictions: Sequence[Prediction]) -> tuple[Metric, ...]:
    """Return the report's metrics; VTGS only where a prediction has its regions measured."""
    grounded = any(prediction.grounding is not None for prediction in predictions)
    return tuple(metric for metric in REPORT_METRICS if grounded or metric is not Metric.VTGS)


def score_columns(
    predictions: Sequence[Prediction], metrics: Sequence[Metric], text_models: TextModels
) -> Columns:
    """Return each metric's score for each prediction; an answer to a broken image scores 0.

    Raises:
        InputError: VTGS is asked for and no prediction has regions.
    """
    answers = [prediction.answer for prediction in predictions]
    references = [prediction.pair.answer for prediction in predictions]
    grounding = measured([prediction.grounding for prediction in predictions])
    if Metric.VTGS in metrics and np.isnan(grounding).all():
        raise InputError(
            "--metrics vtgs: no prediction has a grounding value; leave vtgs out, or let "
            "`evaluator run` make the predictions"
        )
    cosines = np.zeros(0)
    if SENTENCE_METRICS.intersection(metrics):
        if text_models.sentences is None:
            raise ValueError("csns and vtgs need the sentence model loaded")
        cosines = text_models.sentences.cosines(answers, references)
    broken = np.array([prediction.broken_image for prediction in predictions])
    columns = {}
    for metric in metrics:
        if metric is Metric.CSNS:
            column = csns(answers, references, cosines)
        elif metric is Metric.VTGS:
            column = vtgs(text_similarity(cosines), grounding)
        elif metric is Metric.BERTSCORE_F1:
            if text_models.words is None:
                raise ValueError("bertscore_f1 needs its model loaded")
            column = text_models.words.f1(answers, references)
        else:
            column = OVERLAP_METRICS[metric](answers, references)
        columns[metric.value] = np.where(broken, 0.0, column)
    return columns


def signature(metric: Metric, text_models: TextModels) -> str:
    """Return what a score depends on besides the two strings: model, revision, options, version."""
    if metric is Metric.BERTSCORE_F1 and text_models.words is not None:
        return text_models.words.signature
    if metric in SENTENCE_METRICS and text_models.sentences is not None:
        options = f"alpha {ALPHA:g}|eps {EPSILON:g}" if metric is Metric.CSNS else f"beta {BETA:g}"
        return f"{text_models.sentences.signature}|{options}"
    return r"lower, strip, remove [^\w\s]"


def _prior_columns(
    predictions: Sequence[Prediction],
    train_pairs: Sequence[QAPair],
    metrics: Sequence[Metric],
    text_models: TextModels,
) -> Columns:
    prior = QuestionPrior.fit(train_pairs)
    guesses = [
        replace(p, answer=prior.answer(p.pair.question), grounding=None, broken_image=False)
        for p in predictions
    ]
    # A guess that saw no picture has no region in it.
    textual = [metric for metric in metrics if metric is not Metric.VTGS]
    return score_columns(guesses, textual, text_models)


def _cells(predictions: Sequence[Prediction]) -> list[Cell]:
    references = [normalise(p.pair.answer) for p in predictions]
    counts = Counter(references)
    order = sorted(counts, key=lambda answer: (-counts[answer], answer))
    rank = {answer: index for index, answer in enumerate(order)}
    return [
        Cell(
            p.pair.filename,
            question_type(p.pair.question),
            FREQUENCIES[sum(rank[reference] >= bound for bound in _FREQUENCY_BOUNDS)],
        )
        for p, reference in zip(predictions, references, strict=True)
    ]


def _versions() -> dict[str, str]:
    found = {}
    for name in _VERSIONS_OF:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
