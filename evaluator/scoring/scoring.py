"""From predictions to a scorecard: the one way, for runs and for files alike."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from evaluator.metrics import corpus as captioning
from evaluator.metrics.choice import (
    FEWEST,
    OVERLAP_METRICS,
    REGION_METRICS,
    SENTENCE_METRICS,
    Metric,
    metrics_for,
    require_several_references,
)
from evaluator.metrics.loading import TextModels, needed
from evaluator.metrics.meaning.csns import (
    ALPHA,
    EPSILON,
    csns,
    parse_number,
    parse_number_or_word,
    text_similarity,
)
from evaluator.metrics.meaning.vtgs import BETA, measured, vtgs, vtgs_clip
from evaluator.metrics.rows import best_of_references
from evaluator.metrics.texts.vqa_soft import vqa_soft, vqa_soft_signature
from evaluator.metrics.texts.vqa_v2 import vqa_v2, vqa_v2_signature
from evaluator.scoring.controls import (
    CONSTANT_ANSWERS,
    CONSTANT_METRICS,
    guesses,
    rows_of,
)
from evaluator.scoring.question_types import question_type
from evaluator.scoring.scorecard import (
    FREQUENCIES,
    Breakdown,
    Figure,
    Group,
    Scorecard,
    break_down,
    whole_group,
)
from evaluator.scoring.tally import Cell, Tally
from shared.dataset.units import independent_unit, units_of
from shared.errors import InputError
from shared.questions.answers import normalise
from shared.records import Prediction, QAPair
from shared.records.patches import BOX_RULE

Columns = Mapping[str, NDArray[np.float64]]
"""One score for each prediction, by metric; NaN where a prediction has none.

After the scores stand what corpus figures count, see ``captioning.is_statistic``.
"""

NORMALISATION: Final = r"lower, strip, remove [^\w\s]"

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
        InputError: there is nothing to score, VTGS is asked for and no prediction has regions, or
            VQA accuracy and none has several references.
    """
    if not predictions:
        raise InputError("nothing to score: there are no predictions")
    require_several_references(metrics, (prediction.pair for prediction in predictions))
    columns = score_columns(predictions, metrics, text_models)
    cells = _cells(predictions)
    # A guess that saw no picture has no region in it.
    textual = [metric for metric in metrics if metric not in REGION_METRICS]
    prior, over_prior = _NO_CONTROL
    if train_pairs:
        guessed = score_columns(guesses(predictions, train_pairs), textual, text_models)
        prior, over_prior = _control(cells, columns, guessed)
    blind, over_blind = _NO_CONTROL
    if shuffled:
        rows = rows_of(predictions, shuffled)
        seen = _Rows.of(shuffled).measured_regions()
        blind, over_blind = _control(
            [cells[row] for row in rows],
            {name: column[rows] for name, column in columns.items()},
            score_columns(shuffled, [m for m in metrics if m in seen or m in textual], text_models),
        )
    pairs = [prediction.pair for prediction in predictions]
    scorecard = Scorecard(
        units=len({cell.unit for cell in cells}),
        clustered_by=independent_unit(pairs),
        images=len({p.pair.filename for p in predictions if p.pair.names_image}),
        broken_images=len({p.pair.filename for p in predictions if p.broken_image}),
        scores=break_down(Tally.of(cells, columns)),
        prior=prior,
        over_prior=over_prior,
        shuffled=blind,
        over_shuffled=over_blind,
        constants=_constants(predictions, cells, metrics, text_models),
        signatures={metric.value: signature(metric, text_models, provenance) for metric in metrics},
        provenance={**provenance, **_boxed(predictions), "versions": _versions()},
    )
    return scorecard, columns


def _boxed(predictions: Sequence[Prediction]) -> dict[str, int]:
    boxed = sum(bool(p.pair.boxes) for p in predictions)
    return {"questions_with_boxes": boxed} if boxed else {}


def default_metrics(predictions: Sequence[Prediction]) -> tuple[Metric, ...]:
    """Return ``metrics_for`` the pairs, VTGS only where a prediction has its regions measured."""
    unmeasured = REGION_METRICS - _Rows.of(predictions).measured_regions()
    metrics = metrics_for(prediction.pair for prediction in predictions)
    return tuple(metric for metric in metrics if metric not in unmeasured)


def score_columns(
    predictions: Sequence[Prediction], metrics: Sequence[Metric], text_models: TextModels
) -> Columns:
    """Return each metric's score for each prediction; an answer to a broken image scores 0.

    Raises:
        InputError: a metric is asked for that no row has what it takes for.
    """
    rows = _Rows.of(predictions)
    captions = [metric for metric in metrics if metric in captioning.ALL]
    extra = captioning.caption_columns(captions, rows.answers, rows.references)
    broken = np.array([prediction.broken_image for prediction in predictions])
    columns = {
        metric.value: _score(metric, rows, text_models) for metric in metrics if metric not in extra
    }
    order = [*(metric.value for metric in metrics), *filter(captioning.is_statistic, extra)]
    scored = {name: np.where(broken, 0.0, (columns | extra)[name]) for name in order}
    # Nothing to score, whether the image is broken or not.
    for metric, judged in (
        (Metric.VTGS_BOXES, [bool(prediction.pair.boxes) for prediction in predictions]),
        *(
            (metric, [len(references) >= fewest for references in rows.references])
            for metric, fewest in FEWEST.items()
        ),
    ):
        if metric in metrics:
            scored[metric.value] = np.where(judged, scored[metric.value], np.nan)
    return scored


@dataclass(frozen=True)
class _Rows:
    """N predictions as columns."""

    answers: Sequence[str]
    references: Sequence[tuple[str, ...]]
    filenames: Sequence[str]
    sim_vis_N: Mapping[Metric, NDArray[np.float64]]

    @classmethod
    def of(cls, predictions: Sequence[Prediction]) -> _Rows:
        return cls(
            answers=[p.answer for p in predictions],
            references=[p.pair.references for p in predictions],
            filenames=[p.pair.filename for p in predictions],
            sim_vis_N={
                Metric.VTGS: measured([p.grounding for p in predictions]),
                Metric.VTGS_BOXES: measured([p.grounding_boxes for p in predictions]),
            },
        )

    def measured_regions(self) -> frozenset[Metric]:
        """Return the metrics of regions that some row has the overlap for."""
        found = (metric for metric, of_N in self.sim_vis_N.items() if not np.isnan(of_N).all())
        return frozenset(found)


def _score(metric: Metric, rows: _Rows, models: TextModels) -> NDArray[np.float64]:
    if metric in FEWEST:
        agreement = vqa_v2 if metric is Metric.VQA_V2 else vqa_soft
        return agreement(rows.answers, rows.references)
    best = partial(best_of_references, answers=rows.answers, references=rows.references)
    if metric is Metric.CSNS:
        number = parse_number_or_word if models.number_words else parse_number
        sbert = needed(models.sentences, metric)
        return best(lambda a, r: csns(a, r, sbert.cosines(a, r), number=number))
    if metric in REGION_METRICS:
        if metric not in rows.measured_regions():
            needs = "grounding" if metric is Metric.VTGS else "grounding_boxes"
            raise InputError(
                f"--metrics {metric}: no prediction has a value in column `{needs}`; leave "
                f"{metric} out, or let `evaluator run` make the predictions"
            )
        sbert = needed(models.sentences, metric)
        similar_N = best(lambda a, r: text_similarity(sbert.cosines(a, r)))
        return vtgs(similar_N, rows.sim_vis_N[metric])
    if metric is Metric.BERTSCORE_F1:
        return best(needed(models.words, metric).f1)
    if metric is Metric.VTGS_CLIP:
        seen = needed(models.clip, metric).cosines(rows.filenames, rows.answers)
        return vtgs_clip(best(needed(models.words, metric).f1), seen)
    return best(OVERLAP_METRICS[metric])


def signature(metric: Metric, models: TextModels, provenance: Mapping[str, Any]) -> str:
    """Return what a score depends on besides its row, and a hash of that.

    Model, revision, options and versions, parted by ``|``; figures with different signatures are
    different metrics.
    """
    text = _definition(metric, models, provenance)
    digest = hashlib.sha256(f"{metric.value}|{text}".encode()).hexdigest()
    return f"{text}|#{digest[:8]}"


def _definition(metric: Metric, models: TextModels, provenance: Mapping[str, Any]) -> str:
    if metric is Metric.BERTSCORE_F1:
        return needed(models.words, metric).signature
    if metric is Metric.VTGS_CLIP:
        words = needed(models.words, metric)
        return f"{needed(models.clip, metric).signature}|{words.signature}"
    if metric in SENTENCE_METRICS:
        numbers = "digits and number words" if models.number_words else "digits"
        regions = provenance.get("grounding") or "regions of unknown origin"
        options = {
            Metric.CSNS: f"alpha {ALPHA:g}|eps {EPSILON:g}|{numbers}",
            Metric.VTGS: f"beta {BETA:g}|{regions}",
            Metric.VTGS_BOXES: f"beta {BETA:g}|{regions}|against boxes: {BOX_RULE}",
        }
        return f"{needed(models.sentences, metric).signature}|{options[metric]}"
    if metric is Metric.VQA_V2:
        return vqa_v2_signature()
    kind = ""
    if metric is Metric.VQA_SOFT:
        kind = f"{vqa_soft_signature()}|"
    elif metric in captioning.ALL:
        kind = f"{captioning.caption_signature(metric)}|"
    return kind + NORMALISATION


def _control(
    cells: Sequence[Cell], columns: Columns, control: Columns
) -> tuple[Breakdown, Mapping[str, Figure]]:
    """Return a control's figures, and how much more each row of ``columns`` scores.

    Figures that belong to a set as a whole have no difference row by row.
    """
    gains = {
        name: columns[name] - without
        for name, without in control.items()
        if name not in captioning.OF_SETS and not captioning.is_statistic(name)
    }
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
    rows = _Rows.of(predictions)
    columns = {
        (answer, metric.value): _score(
            metric, replace(rows, answers=[answer] * len(predictions)), text_models
        )
        for answer in CONSTANT_ANSWERS
        for metric in cheap
    }
    # Counted together, so that the units are drawn once for all of them.
    names = {key: f"{place}" for place, key in enumerate(columns)}
    whole = whole_group(Tally.of(cells, {names[key]: column for key, column in columns.items()}))
    return {
        answer: Group(
            whole.n,
            {
                metric.value: whole.metrics[names[answer, metric.value]]
                for metric in cheap
                if names[answer, metric.value] in whole.metrics
            },
        )
        for answer in CONSTANT_ANSWERS
    }


def _cells(predictions: Sequence[Prediction]) -> list[Cell]:
    normal = {answer: normalise(answer) for answer in {p.pair.answer for p in predictions}}
    references = [normal[p.pair.answer] for p in predictions]
    counts = Counter(references)
    order = sorted(counts, key=lambda answer: (-counts[answer], answer))
    rank = {answer: index for index, answer in enumerate(order)}
    kinds = {text: question_type(text) for text in {p.pair.question for p in predictions}}
    units = units_of(p.pair for p in predictions)
    return [
        Cell(
            units[p.pair.filename],
            kinds[p.pair.question],
            FREQUENCIES[sum(rank[reference] >= bound for bound in _FREQUENCY_BOUNDS)],
            p.pair.agreement,
            p.pair.domain,
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
