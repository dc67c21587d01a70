"""From predictions to a scorecard: the one way, for runs and for files alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from evaluator.controls import (
    CONSTANT_ANSWERS,
    CONSTANT_METRICS,
    constant_answers,
    guesses,
    rows_of,
)
from evaluator.csns import ALPHA, EPSILON, csns, text_similarity
from evaluator.metrics import OVERLAP_METRICS, REPORT_METRICS, SENTENCE_METRICS, Metric
from evaluator.question_types import question_type
from evaluator.scorecard import FREQUENCIES, Breakdown, Figure, Group, Scorecard, break_down
from evaluator.tally import Cell, Tally
from evaluator.text_models import TextModels
from evaluator.vtgs import BETA, measured, vtgs
from shared.answers import normalise
from shared.errors import InputError
from shared.records import Prediction, QAPair

Columns = Mapping[str, NDArray[np.float64]]
"""One score for each prediction, by metric; NaN where a prediction has none."""

_NO_CONTROL: Final[tuple[Breakdown | None, Mapping[str, Figure]]] = (None, {})
_FREQUENCY_BOUNDS: Final = (10, 100)
_VERSIONS_OF: Final = ("abo-vqa", "numpy", "torch", "transformers", "peft", "bitsandbytes", "ray")


def score_predictions(
    predictions: Sequence[Prediction],
    *,
    metrics: Sequence[Metric],
    text_models: TextModels,
    train_pairs: Sequence[QAPair] | None,
    provenance: Mapping[str, Any],
    shuffled: Sequence[Prediction] = (),
) -> tuple[Scorecard, Columns]:
    """Score predictions and, beside them, those who did not see the picture.

    Args:
        predictions: answers with their references, in any order.
        metrics: what to compute, see ``default_metrics``.
        text_models: loaded models for these metrics, see ``load_text_models``.
        train_pairs: what the prior learns from; never rows that are scored here.
        provenance: what is known about how the answers were made.
        shuffled: the same model's answers to some of the pairs, shown another picture.

    Returns:
        The scorecard, and the score of each prediction in the order given.

    Raises:
        InputError: there is nothing to score, or VTGS is asked for and no prediction has regions.
    """
    if not predictions:
        raise InputError("nothing to score: there are no predictions")
    columns = score_columns(predictions, metrics, text_models)
    cells = _cells(predictions)
    # A guess that saw no picture has no region in it.
    textual = [metric for metric in metrics if metric is not Metric.VTGS]
    prior, over_prior = _NO_CONTROL
    if train_pairs:
        guessed = score_columns(guesses(predictions, train_pairs), textual, text_models)
        prior, over_prior = _control(cells, columns, guessed)
    blind, over_blind = _NO_CONTROL
    if shuffled:
        rows = rows_of(predictions, shuffled)
        grounded = any(p.grounding is not None for p in shuffled)
        blind, over_blind = _control(
            [cells[row] for row in rows],
            {name: column[rows] for name, column in columns.items()},
            score_columns(shuffled, metrics if grounded else textual, text_models),
        )
    scorecard = Scorecard(
        images=len({p.pair.filename for p in predictions}),
        broken_images=len({p.pair.filename for p in predictions if p.broken_image}),
        scores=break_down(Tally.of(cells, columns)),
        prior=prior,
        over_prior=over_prior,
        shuffled=blind,
        over_shuffled=over_blind,
        constants=_constants(predictions, cells, metrics, text_models),
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


def _control(
    cells: Sequence[Cell], columns: Columns, control: Columns
) -> tuple[Breakdown, Mapping[str, Figure]]:
    """Return a control's figures, and how much more each row of ``columns`` scores."""
    gains = {name: columns[name] - without for name, without in control.items()}
    return break_down(Tally.of(cells, control)), break_down(Tally.of(cells, gains)).metrics


def _constants(
    predictions: Sequence[Prediction],
    cells: Sequence[Cell],
    metrics: Sequence[Metric],
    text_models: TextModels,
) -> dict[str, Group]:
    cheap = [metric for metric in metrics if metric in CONSTANT_METRICS]
    if not cheap:
        return {}
    groups = {}
    for answer in CONSTANT_ANSWERS:
        columns = score_columns(constant_answers(predictions, answer), cheap, text_models)
        whole = break_down(Tally.of(cells, columns))
        groups[answer] = Group(whole.n, whole.metrics)
    return groups


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
            p.pair.agreement,
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
