"""Wires one ``evaluator run``: what is evaluated, by whom, and with which text models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import structlog

from evaluator.answering.bundle import NO_REGIONS
from evaluator.answering.fleet import RayFleet
from evaluator.answering.named_adapters import AdapterChoice, assign_domains
from evaluator.answering.replica import Replica, ReplicaSettings, replica_settings
from evaluator.metrics.choice import (
    REGION_METRICS,
    Metric,
    metrics_for,
    require_several_references,
    with_boxes,
)
from evaluator.metrics.corpus import require_tools
from evaluator.metrics.loading import TextModels, load_text_models
from evaluator.metrics.tools import CLIP, require_folder
from evaluator.runs.run import Evaluation, evaluate, prepare_folder
from evaluator.runs.score_files import TextModelNames
from evaluator.runs.selection import Selection, SplitChoice, select_pairs
from evaluator.runs.trained_on import TrainedOn
from evaluator.runs.unseen import unseen_pairs
from evaluator.scoring.controls import other_images
from evaluator.scoring.scorecard import Scorecard
from shared.cluster.ray_cluster import connect_ray, leave_ray, present_share
from shared.corpus import ColumnNames, pairs_digest
from shared.errors import InputError
from shared.images.pixels import DECODER
from shared.images.source import image_source, require_images
from shared.images.stores import fetched_data, is_url
from shared.onnx_vqa import is_bundle
from shared.program.clock import Clock
from shared.program.stopping import interrupt_once
from shared.vqa.adapting.adapters import adapter_digest
from shared.vqa.blip.grounding import REGIONS
from shared.vqa.families import why_no_regions
from shared.vqa.instruction import Instruction
from shared.vqa.trained_on import known_training

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class EvaluationOrder:
    """What the command line asks for; see ``evaluator run --help``.

    ``metrics`` are those that the data has what it takes for where none are named.
    """

    data: str
    images: str
    model: str
    out: Path
    adapter: AdapterChoice
    quantization: str
    replicas: int
    gpus_per_replica: float | None
    address: str | None
    metrics: Sequence[Metric] | None
    split: SplitChoice
    limit: int | None
    train: Path | None
    columns: ColumnNames
    batch_size: int
    name: str
    text_models: TextModelNames
    instruction: Instruction
    shuffle_seed: int
    shuffle_sample: int
    trained_on: TrainedOn = TrainedOn.LEFT_OUT
    arguments: Sequence[str] = ()


def run_evaluation(order: EvaluationOrder, clock: Clock) -> Scorecard:
    """Carry out an order; everything that can be wrong with it is found before Ray starts.

    SIGTERM, which a cluster sends to a job that is stopped, ends it as Ctrl-C does.

    Raises:
        InputError: data, images, model, adapter, address or run folder cannot be used.
    """
    _check_share(order.gpus_per_replica)
    require_tools(order.metrics or ())
    if Metric.VTGS_CLIP in (order.metrics or ()):
        require_folder(Metric.VTGS_CLIP, "open_clip", CLIP)
    replica = replica_settings(
        order.model,
        order.adapter.one,
        order.quantization,
        order.images,
        batch_size=order.batch_size,
        adapters=order.adapter.named,
        instruction=order.instruction,
    )
    with fetched_data(order.data) as data:
        selection = select_pairs(
            data, order.split, images=order.images, train=order.train, columns=order.columns
        )
    require_images(replica.images, (pair.filename for pair in selection.pairs))
    selection = unseen_pairs(
        selection,
        known_training(order.model, order.adapter.folders),
        image_source(replica.images),
        trained_on=order.trained_on,
        limit=order.limit,
        name=order.data,
    )
    if order.adapter.named:
        assigned = assign_domains(selection.pairs, order.adapter.named)
        selection = replace(selection, pairs=assigned)
    asked = _metrics(order, selection)
    left_out = _left_out(order, asked)
    metrics = [one for one in asked if one not in left_out]
    replica = replace(replica, measure_grounding=not REGION_METRICS.isdisjoint(metrics))
    evaluation = _evaluation(order, selection, metrics, replica, left_out)
    prepare_folder(order.out, evaluation)
    interrupt_once("evaluator")

    def fleet() -> RayFleet:
        connect_ray(order.address, order.replicas)
        # Ray's own handler ends the process with a code that means nothing to us.
        interrupt_once("evaluator")
        share = present_share(order.replicas, order.gpus_per_replica)
        return RayFleet(Replica, [replica], order.replicas, share)

    try:
        return evaluate(evaluation, order.out, fleet, lambda: _text_models(order, metrics), clock)
    finally:
        leave_ray()


def _metrics(order: EvaluationOrder, selection: Selection) -> Sequence[Metric]:
    if order.metrics is None:
        return metrics_for(selection.pairs)
    require_several_references(order.metrics, selection.pairs)
    if any(pair.boxes for pair in selection.pairs):
        return with_boxes(order.metrics)
    if Metric.VTGS_BOXES in order.metrics:
        raise InputError(
            f"--metrics {Metric.VTGS_BOXES}: no question of {order.data} has a box; leave it out, "
            "or give boxes in a column `boxes`"
        )
    return order.metrics


def _left_out(order: EvaluationOrder, metrics: Sequence[Metric]) -> dict[Metric, str]:
    """Return the metrics that this model cannot have, and why.

    Raises:
        InputError: one of them is asked for by name.
    """
    asked = [metric for metric in metrics if metric in REGION_METRICS]
    if not asked:
        return {}
    reason = NO_REGIONS if is_bundle(order.model) else why_no_regions(order.model)
    if not reason:
        return {}
    for metric in asked:
        if metric in (order.metrics or ()):
            raise InputError(f"--metrics {metric}: {reason}; leave it out")
        log.warning("metric_left_out", metric=metric.value, reason=reason)
    return dict.fromkeys(asked, reason)


def _check_share(gpus_per_replica: float | None) -> None:
    if gpus_per_replica is None or 0 <= gpus_per_replica <= 1 or gpus_per_replica.is_integer():
        return
    raise InputError(
        f"--gpus-per-replica {gpus_per_replica}: give a part of a card, such as 0.25, "
        "a whole number of cards, or 0 to run on CPUs"
    )


def _evaluation(
    order: EvaluationOrder,
    selection: Selection,
    metrics: Sequence[Metric],
    replica: ReplicaSettings,
    left_out: Mapping[Metric, str],
) -> Evaluation:
    shown_instead = other_images(
        (pair.filename for pair in selection.pairs),
        sample=order.shuffle_sample,
        seed=order.shuffle_seed,
    )
    settings = {
        "command": "evaluator run",
        "name": order.name,
        "data": order.data if is_url(order.data) else str(Path(order.data).resolve()),
        "data_sha256": pairs_digest(selection.pairs),
        "trained_on": selection.trained_on,
        "images": replica.images,
        "decoder": DECODER,
        "split": selection.split.value,
        "limit": order.limit,
        "model": order.model,
        "quantization": order.quantization,
        "adapter": replica.adapter,
        "adapter_sha256": "" if order.adapter.one is None else adapter_digest(order.adapter.one),
        **_named_adapters(order, selection),
        "prompt": order.instruction.template,
        "max_new_tokens": order.instruction.max_new_tokens,
        "grounding": REGIONS if replica.measure_grounding else "",
        "left_out": {metric.value: reason for metric, reason in left_out.items()},
        "shuffle_images": order.shuffle_seed if shown_instead else None,
        "shuffle_sample": len(shown_instead),
        "seed": 0,
    }
    return Evaluation(
        selection.pairs,
        selection.train_pairs,
        settings,
        metrics,
        shown_instead=shown_instead,
        arguments=order.arguments,
    )


def _named_adapters(order: EvaluationOrder, selection: Selection) -> dict[str, Any]:
    """Return each named adapter's folder and hash, and which questions it answers."""
    if not order.adapter.named:
        return {}
    return {
        "adapters": {
            name: {
                "folder": str(folder.resolve()),
                "sha256": adapter_digest(folder),
                "questions_sha256": pairs_digest(p for p in selection.pairs if p.domain == name),
            }
            for name, folder in order.adapter.named.items()
        }
    }


def _text_models(order: EvaluationOrder, metrics: Sequence[Metric]) -> TextModels:
    return load_text_models(
        metrics,
        sentence_model=order.text_models.sentences,
        bertscore_model=order.text_models.bertscore,
        bertscore_layers=order.text_models.bertscore_layers,
        number_words=order.text_models.number_words,
        clip_model=order.text_models.clip_model,
        clip_weights=order.text_models.clip_weights,
        images=order.images,
    )
