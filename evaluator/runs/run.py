"""One evaluation from a data set and a model to a finished run folder; resumes where it stopped."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Final

from evaluator.answering.attention import overlap_with_boxes
from evaluator.answering.fleet import Fleet
from evaluator.answering.messages import AdapterEffect, Reply
from evaluator.answering.shards import Shard, cut_shards
from evaluator.metrics.metric import Metric
from evaluator.metrics.text_models.loaded import TextModels
from evaluator.runs.folder import (
    remove_leftovers,
    shard_path,
    write_results,
)
from evaluator.runs.record import RUN_FILE, EvaluationRecord, read_record, write_record
from evaluator.runs.status import NoteBook, State, sole_driver
from evaluator.scoring.scorecard import Scorecard
from evaluator.scoring.scoring import score_predictions
from shared.corpus import pairs_digest, read_json, read_predictions, write_json, write_predictions
from shared.errors import AboVqaError, InputError
from shared.program.clock import Clock, stopwatch
from shared.program.event_log import EventLog
from shared.program.progress import report_progress
from shared.records import Prediction, QAPair, Question
from shared.vqa.adapting.adapters import warn_of_another_base

log = EventLog(__name__)

MODEL_FILE: Final = "model.json"
"""Which model answered, and what its adapter changes; written before the first shard."""
ADAPTER_SAMPLE: Final = 200
"""Questions that are also answered without the adapter, to check that it does something."""


class ShardsGivenUp(AboVqaError):
    """Some shards killed every replica that took them; the others are done and kept."""


@dataclass(frozen=True)
class Evaluation:
    """What is evaluated: scored pairs, training pairs for the prior, and what is told of them.

    ``record`` goes into ``run.json``; a folder is resumed only where its facts are the same.
    ``shard_cost`` bounds the size of a shard, see ``evaluator.answering.shards``. ``shown_instead``
    names images whose questions are asked a second time about another image, see
    ``evaluator.scoring.controls``.
    """

    pairs: Sequence[QAPair]
    train_pairs: Sequence[QAPair]
    record: EvaluationRecord
    metrics: Sequence[Metric]
    shard_cost: float | None = None
    shown_instead: Mapping[str, str] = field(default_factory=dict)


def evaluate(
    evaluation: Evaluation,
    folder: Path,
    fleet: Callable[[], Fleet],
    text_models: Callable[[], TextModels],
    clock: Clock,
) -> Scorecard:
    """Answer what ``folder`` lacks, score everything and write the scorecard.

    ``fleet`` and ``text_models`` are called when they are needed: a run whose shards are all there
    loads no model.

    Raises:
        InputError: the folder holds a run with other settings, or another driver works in it.
        ShardsGivenUp: a shard could not be answered; run again to try it once more.
    """
    plain, shuffled = _cut(evaluation)
    shards = [*plain, *shuffled]
    prepare_folder(folder, evaluation)
    with sole_driver(folder):
        remove_leftovers(folder)
        total = sum(len(shard.questions) for shard in shards)
        notes = NoteBook(folder, clock, shards=len(shards), questions=total)
        started = stopwatch()
        todo = [shard for shard in shards if not shard_path(folder, shard.index).is_file()]
        if len(todo) < len(shards):
            done = len(shards) - len(todo)
            log.info("resumed", folder=str(folder), done=done, shards=len(shards))
        if todo:
            _answer(todo, shards, evaluation, folder, fleet(), notes=notes)
        notes.change_state(State.SCORING)
        answered_s = stopwatch() - started
        scorecard = _score(plain, shuffled, evaluation, folder, text_models())
        notes.change_state(State.FINISHED)
    log.info("done", answering_s=round(answered_s, 1), total_s=round(stopwatch() - started, 1))
    return scorecard


def _score(
    plain: Sequence[Shard],
    shuffled: Sequence[Shard],
    evaluation: Evaluation,
    folder: Path,
    text_models: TextModels,
) -> Scorecard:
    predictions = _read_shards(folder, plain)
    log.info("scoring", predictions=len(predictions))
    scorecard, columns = score_predictions(
        predictions,
        metrics=evaluation.metrics,
        text_models=text_models,
        train_pairs=evaluation.train_pairs or None,
        provenance={**evaluation.record.facts(), **read_json(folder / MODEL_FILE)},
        shuffled=_read_shards(folder, shuffled),
    )
    write_results(folder, predictions, columns, scorecard)
    return scorecard


def _cut(evaluation: Evaluation) -> tuple[list[Shard], list[Shard]]:
    """Return the shards of the run, and those of its shuffled control, numbered after them."""
    # Rows are told apart by their place: the same question may stand twice, with two answers.
    questions = [
        Question(str(row), pair.question, pair.filename, pair.domain)
        for row, pair in enumerate(evaluation.pairs)
    ]
    other = evaluation.shown_instead
    shuffled = [replace(q, filename=other[q.filename]) for q in questions if q.filename in other]
    plain = cut_shards(questions, evaluation.shard_cost)
    after = len(plain)
    control = cut_shards(shuffled, evaluation.shard_cost)
    return plain, [replace(shard, index=after + shard.index) for shard in control]


def _read_shards(folder: Path, shards: Sequence[Shard]) -> list[Prediction]:
    return [
        prediction
        for shard in shards
        for prediction in read_predictions(shard_path(folder, shard.index))
    ]


def prepare_folder(folder: Path, evaluation: Evaluation) -> None:
    """Write ``run.json``, or check that the one that is there says the same.

    Raises:
        InputError: ``folder`` is a file, or holds a run with other settings.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"--out {folder}: is a file; give a folder for the run")
    record = evaluation.record
    fingerprint = _fingerprint(evaluation)
    if not (folder / RUN_FILE).is_file():
        write_record(folder, record.model_copy(update={"fingerprint": fingerprint}))
        return
    before = read_record(folder)
    if before.fingerprint != fingerprint:
        facts, facts_before = record.facts(), before.facts()
        differing = [name for name in facts if facts_before.get(name) != facts[name]]
        raise InputError(
            f"--out {folder}: holds a run with another {', '.join(differing) or 'data'}; "
            "give another folder"
        )


def _fingerprint(evaluation: Evaluation) -> str:
    about = [evaluation.record.facts(), pairs_digest(evaluation.pairs), evaluation.shard_cost]
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()


def _answer(
    todo: Sequence[Shard],
    shards: Sequence[Shard],
    evaluation: Evaluation,
    folder: Path,
    fleet: Fleet,
    *,
    notes: NoteBook,
) -> None:
    _agree_on_model(folder, fleet, shards, evaluation)
    notes.answering(fleet.replicas, fleet.ready)
    total = sum(len(shard.questions) for shard in shards)
    done = total - sum(len(shard.questions) for shard in todo)
    given_up: list[int] = []
    reasons: Counter[str] = Counter()
    with report_progress("answering", total, done=done) as progress:
        for answers in fleet.answered_shards(todo):
            shard = answers.shard
            if answers.replies is None:
                given_up.append(shard.index)
                reasons[answers.reason] += 1
                notes.shard_given_up(shard.index, answers.reason)
                continue
            rows = _predictions(answers.replies, evaluation.pairs)
            write_predictions(rows, shard_path(folder, shard.index), {})
            notes.shard_answered(len(rows), fleet.ready)
            replicas = f"{fleet.ready} of {fleet.replicas} replicas"
            progress.advance(len(rows), f"{notes.rate_per_s:.1f} questions/s, {replicas}")
    if given_up:
        notes.change_state(State.INCOMPLETE)
        [(reason, _)] = reasons.most_common(1)
        raise ShardsGivenUp(
            f"{folder}: {len(given_up)} of {len(shards)} shards could not be answered "
            f"({', '.join(map(str, sorted(given_up)))}): {reason}; the rest is kept: run the same "
            "command again to try them once more"
        )


def _agree_on_model(
    folder: Path, fleet: Fleet, shards: Sequence[Shard], evaluation: Evaluation
) -> None:
    """Write which model answers, or check that it is the one that answered before."""
    facts = asdict(fleet.facts())
    for adapter in _adapters(evaluation.record):
        # A replica says so where nobody reads it.
        warn_of_another_base(adapter, facts["revision"])
    if not (folder / MODEL_FILE).is_file():
        effect = _effect(fleet, shards, evaluation.record)
        changed = None if effect is None else asdict(effect)
        write_json({**facts, "adapter_effect": changed}, folder / MODEL_FILE)
        return
    before = read_json(folder / MODEL_FILE)
    differing = [name for name in facts if before.get(name) != facts[name]]
    if differing:
        changes = ", ".join(
            f"{name} {before.get(name)!r}, now {facts[name]!r}" for name in differing
        )
        raise InputError(
            f"--out {folder}: another model answered its first shards ({changes}); "
            "give another folder, or the same model on the same kind of machine"
        )


def _adapters(record: EvaluationRecord) -> list[Path]:
    folders = [record.adapter, *(adapter.folder for adapter in record.adapters.values())]
    return [Path(folder) for folder in folders if folder]


def _effect(
    fleet: Fleet, shards: Sequence[Shard], record: EvaluationRecord
) -> AdapterEffect | None:
    return fleet.adapter_effect(_sample(shards, record.adapters)) if _adapters(record) else None


def _sample(shards: Sequence[Shard], adapters: Collection[str]) -> list[Question]:
    """Return questions of the first shard, or, of several adapters, the first ones of each."""
    if not adapters:
        return list(shards[0].questions[:ADAPTER_SAMPLE])
    asked = [question for shard in shards for question in shard.questions]
    of_domain = {name: [q for q in asked if q.domain == name] for name in adapters}
    each = max(1, ADAPTER_SAMPLE // len(adapters))
    return [question for own in of_domain.values() for question in own[:each]]


def _predictions(replies: Sequence[Reply], pairs: Sequence[QAPair]) -> list[Prediction]:
    rows = [_prediction(reply, pairs[int(reply.question_id)]) for reply in replies]
    return sorted(rows, key=lambda row: (row.pair.filename, row.pair.id, row.pair.answer))


def _prediction(reply: Reply, pair: QAPair) -> Prediction:
    return Prediction(
        pair=pair,
        answer=reply.answer,
        confidence=reply.confidence,
        grounding=reply.grounding,
        broken_image=reply.broken_image,
        attention=reply.attention,
        # Here, since replicas are not told of boxes: nothing must see what it is judged by.
        grounding_boxes=overlap_with_boxes(reply.attention, pair.boxes),
    )
