"""Wires one ``evaluator run``: what is evaluated, by whom, and with which text models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from evaluator.answering.bundle import NO_REGIONS
from evaluator.answering.fleet import Fleet
from evaluator.answering.named_adapters import AdapterChoice, assign_domains
from evaluator.answering.ray_fleet import RayFleet
from evaluator.answering.replica import Replica
from evaluator.answering.replica_settings import ReplicaSettings, replica_settings
from evaluator.metrics.choice import (
    metrics_for,
    require_several_references,
    require_tools,
    with_boxes,
)
from evaluator.metrics.meaning import vtgs_boxes
from evaluator.metrics.metric import Metric
from evaluator.metrics.text_models.loaded import TextModels
from evaluator.runs.record import EvaluationRecord, NamedAdapter
from evaluator.runs.rows.selection import Selection, select_pairs
from evaluator.runs.rows.unseen import unseen_pairs
from evaluator.runs.run import Evaluation, evaluate, prepare_folder
from evaluator.runs.score_files import text_models_for
from evaluator.runs.settings import RunSettings
from evaluator.scoring.controls import other_images
from evaluator.scoring.scorecard import Scorecard
from shared.cluster.ray_cluster import connect_ray, leave_ray, present_share
from shared.corpus import pairs_digest
from shared.dataset.opening import OpenedData, opened_data
from shared.errors import InputError
from shared.images.pixels import DECODER
from shared.images.source import image_source, require_images
from shared.images.stores import is_url, local_data
from shared.onnx_vqa import is_bundle
from shared.program.clock import Clock
from shared.program.reporting.event_log import EventLog
from shared.vqa.adapting.adapters import adapter_digest
from shared.vqa.blip.grounding import REGIONS
from shared.vqa.families import why_no_regions
from shared.vqa.trained_on import known_training

log = EventLog(__name__)


def run_evaluation(settings: RunSettings, clock: Clock) -> Scorecard:
    """Choose rows, open the model, answer shard after shard, score and write.

    Everything that can be wrong with the settings is found before Ray starts.

    Raises:
        InputError: data, images, model, adapter, address or run folder cannot be used.
    """
    _check_share(settings.gpus_per_replica)
    require_tools(settings.named_metrics or ())
    opened = opened_data(settings.data, settings.images)
    replica = _replica(settings, opened)
    rows = _rows(settings, replica, opened)
    metrics, left_out = _metrics(settings, rows)
    replica = replace(replica, measure_grounding=any(m.regions for m in metrics))
    evaluation = _evaluation(settings, rows, metrics, replica, left_out)
    prepare_folder(settings.out, evaluation)

    def fleet() -> Fleet:
        return _ray_fleet(settings, replica)

    def text_models() -> TextModels:
        return text_models_for(metrics, settings, replica.images)

    try:
        return evaluate(evaluation, settings.out, fleet, text_models, clock)
    finally:
        leave_ray()


def _replica(settings: RunSettings, opened: OpenedData) -> ReplicaSettings:
    """Return what each replica loads, its files checked."""
    return replica_settings(
        settings.model,
        settings.adapters.single,
        settings.quantize.value,
        opened.images,
        batch_size=settings.batch_size,
        adapters=settings.adapters.named,
        instruction=settings.instruction,
    )


def _rows(settings: RunSettings, replica: ReplicaSettings, opened: OpenedData) -> Selection:
    """Return the rows to score: of the split, with a picture, and not trained on by the model."""
    adapters = settings.adapters
    selection = select_pairs(
        opened.rows,
        settings.split,
        images=opened.images,
        train=None if settings.train is None else local_data(settings.train),
        columns=settings.named_columns,
    )
    require_images(replica.images, (pair.filename for pair in selection.pairs))
    selection = unseen_pairs(
        selection,
        known_training(settings.model, adapters.folders),
        image_source(replica.images),
        trained_on=settings.trained_on,
        limit=settings.limit,
        name=settings.data,
    )
    if not adapters.named:
        return selection
    return replace(selection, pairs=assign_domains(selection.pairs, adapters.named))


def _ray_fleet(settings: RunSettings, replica: ReplicaSettings) -> RayFleet:
    connect_ray(settings.address, settings.replicas, "evaluator")
    share = present_share(settings.replicas, settings.gpus_per_replica)
    return RayFleet(Replica, [replica], settings.replicas, share)


def _metrics(
    settings: RunSettings, rows: Selection
) -> tuple[Sequence[Metric], Mapping[Metric, str]]:
    """Return the metrics to compute, and those that this model cannot have, with the reason."""
    asked = _asked_metrics(settings, rows)
    left_out = _left_out(settings, asked)
    return [metric for metric in asked if metric not in left_out], left_out


def _asked_metrics(settings: RunSettings, selection: Selection) -> Sequence[Metric]:
    named = settings.named_metrics
    if named is None:
        return metrics_for(selection.pairs)
    require_several_references(named, selection.pairs)
    if any(pair.boxes for pair in selection.pairs):
        return with_boxes(named)
    if vtgs_boxes.METRIC in named:
        raise InputError(
            f"--metrics {vtgs_boxes.METRIC}: no question of {settings.data} has a box; leave it "
            "out, or give boxes in a column `boxes`"
        )
    return named


def _left_out(settings: RunSettings, metrics: Sequence[Metric]) -> dict[Metric, str]:
    """Return the metrics that this model cannot have, and why.

    Raises:
        InputError: one of them is asked for by name.
    """
    asked = [metric for metric in metrics if metric.regions is not None]
    if not asked:
        return {}
    reason = NO_REGIONS if is_bundle(settings.model) else why_no_regions(settings.model)
    if not reason:
        return {}
    for metric in asked:
        if metric in (settings.named_metrics or ()):
            raise InputError(f"--metrics {metric}: {reason}; leave it out")
        log.warning("metric_left_out", metric=metric.name, reason=reason)
    return dict.fromkeys(asked, reason)


def _check_share(gpus_per_replica: float | None) -> None:
    if gpus_per_replica is None or 0 <= gpus_per_replica <= 1 or gpus_per_replica.is_integer():
        return
    raise InputError(
        f"--gpus-per-replica {gpus_per_replica}: give a part of a card, such as 0.25, "
        "a whole number of cards, or 0 to run on CPUs"
    )


def _evaluation(
    settings: RunSettings,
    rows: Selection,
    metrics: Sequence[Metric],
    replica: ReplicaSettings,
    left_out: Mapping[Metric, str],
) -> Evaluation:
    shown_instead = other_images(
        (pair.filename for pair in rows.pairs),
        sample=settings.shuffle_sample,
        seed=settings.shuffle_images,
    )
    adapters = settings.adapters
    record = EvaluationRecord(
        command="evaluator run",
        name=settings.run_name,
        data=settings.data if is_url(settings.data) else str(Path(settings.data).resolve()),
        data_sha256=pairs_digest(rows.pairs),
        trained_on=rows.trained_on,
        images=replica.images,
        decoder=DECODER,
        split=rows.split.value,
        limit=settings.limit,
        model=settings.model,
        quantization=settings.quantize.value,
        adapter=replica.adapter,
        adapter_sha256="" if adapters.single is None else adapter_digest(adapters.single),
        prompt=replica.instruction.template,
        max_new_tokens=settings.max_new_tokens,
        grounding=REGIONS if replica.measure_grounding else "",
        left_out={metric.name: reason for metric, reason in left_out.items()},
        shuffle_images=settings.shuffle_images if shown_instead else None,
        shuffle_sample=len(shown_instead),
        seed=0,
        settings=settings.whole(),
    )
    if adapters.named:
        record = record.model_copy(update={"adapters": _named_adapters(adapters, rows)})
    return Evaluation(rows.pairs, rows.train_pairs, record, metrics, shown_instead=shown_instead)


def _named_adapters(adapters: AdapterChoice, rows: Selection) -> dict[str, NamedAdapter]:
    return {
        name: NamedAdapter(
            folder=str(folder.resolve()),
            sha256=adapter_digest(folder),
            questions_sha256=pairs_digest(pair for pair in rows.pairs if pair.domain == name),
        )
        for name, folder in adapters.named.items()
    }
