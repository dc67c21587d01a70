"""Wires one ``evaluator run``: what is evaluated, by whom, and with which text models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from evaluator.answering.fleet import Fleet
from evaluator.answering.named_adapters import assign_domains
from evaluator.judging.asked_for import finished_by, judge_for
from evaluator.metrics.choice import (
    metrics_for,
    require_several_references,
    require_tools,
    with_boxes,
)
from evaluator.metrics.meaning import vtgs_boxes
from evaluator.metrics.metric import Metric
from evaluator.metrics.text_models.loaded import TextModels
from evaluator.robustness.changes import REPHRASED
from evaluator.robustness.rephrasing import rephrased
from evaluator.runs.dry_run import Ahead
from evaluator.runs.record import EvaluationRecord, NamedAdapter
from evaluator.runs.rows.selection import Selection, select_pairs
from evaluator.runs.rows.unseen import unseen_pairs
from evaluator.runs.run import Evaluation, evaluate, require_own
from evaluator.runs.score_files import require_models, text_models_for
from evaluator.runs.settings import RunSettings
from evaluator.runs.sources.source import AnswerSource
from evaluator.scoring.controls import drawn_images, other_images
from evaluator.scoring.scorecard import Scorecard
from shared.corpus import pairs_digest
from shared.dataset.opening import OpenedData, opened_data
from shared.errors import InputError
from shared.images.pixels import DECODER
from shared.images.source import image_source, require_images
from shared.images.stores import is_url, local_data
from shared.program.clock import Clock
from shared.program.reporting.event_log import EventLog
from shared.questions.types import typed_languages
from shared.records import QAPair

log = EventLog(__name__)


def run_evaluation(settings: RunSettings, clock: Clock) -> Scorecard:
    """Choose rows, open the model, answer shard after shard, score and write.

    Everything that can be wrong with the settings is found before a model is loaded or asked.

    Raises:
        InputError: data, images, model, adapter, address or run folder cannot be used.
    """
    require_tools(settings.named_metrics or ())
    judge = judge_for(settings.judge_options, clock)
    opened = opened_data(settings.data, settings.images)
    images = opened.images if is_url(opened.images) else str(Path(opened.images).resolve())
    source = _source(settings, images, clock)
    rows = _rows(settings, source, opened, images)
    metrics, left_out = _metrics(settings, source, rows)
    with_regions = any(metric.regions for metric in metrics)
    evaluation = _evaluation(settings, rows, metrics, source, images=images, left_out=left_out)
    require_own(settings.out, evaluation)

    def fleet() -> Fleet:
        if judge is not None:
            # Hours of answering are not to end at a judge that nobody can ask.
            judge.require_there()
        require_models(metrics, settings)
        return source.fleet(with_regions=with_regions)

    def text_models() -> TextModels:
        return text_models_for(metrics, settings, images, judge)

    try:
        return evaluate(
            evaluation,
            settings.out,
            fleet,
            text_models,
            clock,
            # Scoring needs no cluster: one that is lost meanwhile ends nothing, and cards get free.
            answered=source.close,
            cost=source.cost,
            finished=finished_by(judge),
        )
    finally:
        source.close()


def look_ahead(settings: RunSettings, clock: Clock) -> Ahead:
    """Return what ``run_evaluation`` would do; nobody is asked, and nothing is written.

    Raises:
        InputError: as ``run_evaluation``.
    """
    require_tools(settings.named_metrics or ())
    opened = opened_data(settings.data, settings.images)
    images = opened.images if is_url(opened.images) else str(Path(opened.images).resolve())
    source = _source(settings, images, clock)
    try:
        rows = _rows(settings, source, opened, images)
        metrics, _ = _metrics(settings, source, rows)
        shown_instead, again = _shown_instead(settings, rows), _asked_again(settings, rows)
        return Ahead(rows.pairs, metrics, shown_instead, again, source.endpoint)
    finally:
        source.close()


def _shown_instead(settings: RunSettings, rows: Selection) -> dict[str, str]:
    return other_images(
        (pair.filename for pair in rows.pairs),
        sample=settings.shuffle_sample,
        seed=settings.shuffle_images,
    )


def _source(settings: RunSettings, images: str, clock: Clock) -> AnswerSource:
    """Return who answers; each brings along what the other does without."""
    if settings.address_options.is_given:
        from evaluator.runs.sources.address import AddressSource  # noqa: PLC0415 (HTTP)

        return AddressSource(settings, images, clock)
    from evaluator.runs.sources.replicas import ReplicaSource  # noqa: PLC0415 (torch and Ray)

    return ReplicaSource(settings, images)


def _rows(
    settings: RunSettings, source: AnswerSource, opened: OpenedData, images: str
) -> Selection:
    """Return the rows to score: of the split, with a picture, and not trained on by the model."""
    selection = select_pairs(
        opened.rows,
        settings.split,
        images=opened.images,
        train=None if settings.train is None else local_data(settings.train),
        columns=settings.named_columns,
    )
    require_images(images, (pair.filename for pair in selection.pairs))
    selection = unseen_pairs(
        selection,
        source.training(),
        image_source(images),
        trained_on=settings.trained_on,
        limit=settings.limit,
        name=settings.data,
    )
    named = settings.adapters.named
    return replace(selection, pairs=assign_domains(selection.pairs, named)) if named else selection


def _metrics(
    settings: RunSettings, source: AnswerSource, rows: Selection
) -> tuple[Sequence[Metric], Mapping[Metric, str]]:
    """Return the metrics to compute, and those that this model cannot have, with the reason."""
    asked = _asked_metrics(settings, rows)
    left_out = _left_out(settings, source, asked)
    return [metric for metric in asked if metric not in left_out], left_out


def _asked_metrics(settings: RunSettings, selection: Selection) -> Sequence[Metric]:
    named = settings.named_metrics
    if named is None:
        return settings.with_judge(metrics_for(selection.pairs))
    require_several_references(named, selection.pairs)
    if any(pair.boxes for pair in selection.pairs):
        return with_boxes(named)
    if vtgs_boxes.METRIC in named:
        raise InputError(
            f"--metrics {vtgs_boxes.METRIC}: no question of {settings.data} has a box; leave it "
            "out, or give boxes in a column `boxes`"
        )
    return named


def _left_out(
    settings: RunSettings, source: AnswerSource, metrics: Sequence[Metric]
) -> dict[Metric, str]:
    """Return the metrics that this model cannot have, and why.

    Raises:
        InputError: one of them is asked for by name.
    """
    asked = [metric for metric in metrics if metric.regions is not None]
    reason = source.why_no_regions() if asked else ""
    if not reason:
        return {}
    for metric in asked:
        if metric in (settings.named_metrics or ()):
            raise InputError(f"--metrics {metric}: {reason}; leave it out")
        log.warning("metric_left_out", metric=metric.name, reason=reason)
    return dict.fromkeys(asked, reason)


def _evaluation(
    settings: RunSettings,
    rows: Selection,
    metrics: Sequence[Metric],
    source: AnswerSource,
    *,
    images: str,
    left_out: Mapping[Metric, str],
) -> Evaluation:
    shown_instead = _shown_instead(settings, rows)
    record = EvaluationRecord(
        command="evaluator run",
        name=settings.run_name,
        data=settings.data if is_url(settings.data) else str(Path(settings.data).resolve()),
        data_sha256=pairs_digest(rows.pairs),
        trained_on=rows.trained_on,
        images=images,
        decoder=DECODER,
        split=rows.split.value,
        limit=settings.limit,
        left_out={metric.name: reason for metric, reason in left_out.items()},
        shuffle_images=settings.shuffle_images if shown_instead else None,
        shuffle_sample=len(shown_instead),
        seed=0,
        settings=settings.whole(),
        **source.facts(with_regions=any(metric.regions for metric in metrics)),
    )
    changed_images = _changed_images(settings, rows)
    if settings.changes:
        log.info(
            "asked_again_under_changes",
            changes=",".join(map(str, settings.changes)),
            images=len(changed_images),
            questions=len(_asked_again(settings, rows)),
            besides=len(rows.pairs),
        )
        record = record.model_copy(
            update={
                "robustness": {str(change): change.signature for change in settings.changes},
                "robustness_sample": len(changed_images),
            }
        )
    if named := source.named_adapters():
        record = record.model_copy(update={"adapters": _with_questions(named, rows)})
    return Evaluation(
        rows.pairs,
        rows.train_pairs,
        record,
        metrics,
        shown_instead=shown_instead,
        changes=settings.changes,
        changed_images=changed_images,
    )


def _changed_images(settings: RunSettings, rows: Selection) -> frozenset[str]:
    """Return the images whose questions are asked again under changes."""
    if not settings.changes:
        return frozenset()
    names = (pair.filename for pair in rows.pairs)
    return frozenset(
        drawn_images(names, sample=settings.robustness_sample, seed=settings.shuffle_images)
    )


def _asked_again(settings: RunSettings, rows: Selection) -> list[QAPair]:
    """Return the pairs that are asked about again, each as often as changes have a way for it.

    Raises:
        InputError: no question can be asked in other words.
    """
    drawn = _changed_images(settings, rows)
    some = [pair for pair in rows.pairs if pair.filename in drawn]
    of_pictures = [change for change in settings.changes if change.view]
    again = some * len(of_pictures)
    if len(of_pictures) < len(settings.changes):
        again += (rephrasable := [pair for pair in some if rephrased(pair.question) is not None])
        if not rephrasable:
            others = ",".join(map(str, of_pictures))
            raise InputError(
                f"--robustness {REPHRASED}: no rule fits any of {len(some):,} questions; the rules "
                f"are for {', '.join(typed_languages().values())}. Leave it out"
                + (f": --robustness {others}" if others else "")
            )
    return again


def _with_questions(
    adapters: Mapping[str, NamedAdapter], rows: Selection
) -> dict[str, NamedAdapter]:
    """Return adapters with the digest of the questions that each answers."""
    return {
        name: adapter.model_copy(
            update={"questions_sha256": pairs_digest(p for p in rows.pairs if p.domain == name)}
        )
        for name, adapter in adapters.items()
    }
