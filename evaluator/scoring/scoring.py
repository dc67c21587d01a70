"""From predictions to a scorecard: the one way, for runs and for files alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from evaluator.metrics.choice import metrics_for, require_several_references
from evaluator.metrics.metric import Metric
from evaluator.metrics.rows import Rows
from evaluator.metrics.text_models.loaded import TextModels
from evaluator.scoring.cells import cells_of
from evaluator.scoring.controls import (
    Scored,
    UnderChange,
    constant_groups,
    prior_control,
    robustness,
    shuffled_control,
)
from evaluator.scoring.cost import Cost
from evaluator.scoring.coverage import Surest, accuracy_at
from evaluator.scoring.figures import break_down
from evaluator.scoring.right_labels import right_labels
from evaluator.scoring.scorecard import Scorecard
from evaluator.scoring.sums.columns import Columns, score_columns
from evaluator.scoring.sums.tally import Tally
from shared.dataset.units import independent_unit
from shared.errors import InputError
from shared.program.versions import installed_versions
from shared.records import Prediction, QAPair

_VERSIONS_OF: Final = ("abo-vqa", "numpy", "torch", "transformers", "peft", "bitsandbytes", "ray")


def score_predictions(
    predictions: Sequence[Prediction],
    *,
    metrics: Sequence[Metric],
    text_models: TextModels,
    train_pairs: Sequence[QAPair] | None,
    provenance: Mapping[str, Any],
    shuffled: Sequence[Prediction] = (),
    under_changes: Mapping[str, UnderChange] = MappingProxyType({}),
    cost: Cost | None = None,
) -> tuple[Scorecard, Columns]:
    """Score predictions and, beside them, those who did not see the picture.

    Args:
        predictions: answers with their references, in any order.
        metrics: what to compute, see ``measured_metrics``.
        text_models: loaded models for these metrics, see ``load_text_models``.
        train_pairs: what the prior learns from; never rows that are scored here.
        provenance: what is known about how the answers were made.
        shuffled: the same model's answers to some of the pairs, shown another picture.
        under_changes: its answers to some of the pairs under changes, by the name of each.
        cost: what the answers took.

    Returns:
        The scorecard, and the score of each prediction in the order given.

    Raises:
        InputError: there is nothing to score, VTGS is asked for and no prediction has regions, or
            VQA accuracy and none has several references.
    """
    if not predictions:
        raise InputError("nothing to score: there are no predictions")
    pairs = [prediction.pair for prediction in predictions]
    require_several_references(metrics, pairs)
    columns = score_columns(predictions, metrics, text_models)
    cells = cells_of(predictions)
    scored = Scored(predictions, cells, columns, metrics, text_models)
    prior = prior_control(scored, train_pairs)
    blind = shuffled_control(scored, shuffled)
    units = [cell.unit for cell in cells]
    surest = Surest.of(predictions, units)
    scorecard = Scorecard(
        units=len(set(units)),
        clustered_by=independent_unit(pairs),
        images=len({pair.filename for pair in pairs if pair.names_image}),
        broken_images=len({p.pair.filename for p in predictions if p.broken_image}),
        scores=break_down(Tally.of(cells, columns)),
        prior=prior.scores,
        over_prior=prior.lead,
        shuffled=blind.scores,
        over_shuffled=blind.lead,
        constants=constant_groups(scored),
        signatures={metric.name: metric.signature(text_models, provenance) for metric in metrics},
        provenance={**provenance, **_boxed(pairs), "versions": installed_versions(_VERSIONS_OF)},
        right_labels=right_labels(predictions, units),
        at_coverage=() if surest is None else accuracy_at(surest),
        robustness={name: robustness(scored, each) for name, each in under_changes.items()},
        failed_answers=sum(bool(prediction.failure) for prediction in predictions),
        cost=cost,
    )
    return scorecard, columns


def measured_metrics(predictions: Sequence[Prediction]) -> tuple[Metric, ...]:
    """Return ``metrics_for`` the pairs, VTGS only where a prediction has its regions measured."""
    measured = Rows.of(predictions).measured
    metrics = metrics_for(prediction.pair for prediction in predictions)
    return tuple(m for m in metrics if m.regions is None or m.regions in measured)


def _boxed(pairs: Sequence[QAPair]) -> dict[str, int]:
    boxed = sum(bool(pair.boxes) for pair in pairs)
    return {"questions_with_boxes": boxed} if boxed else {}
