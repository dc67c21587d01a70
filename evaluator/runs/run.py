"""One evaluation from a data set and a model to a finished run folder; resumes where it stopped."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from evaluator.answering.fleet import Fleet
from evaluator.answering.shards import Shard, cut_shards
from evaluator.endpoints.journal import JOURNAL_FILE
from evaluator.judging.asked_for import Finished
from evaluator.metrics.metric import Metric
from evaluator.metrics.text_models.loaded import TextModels
from evaluator.robustness.changes import Change
from evaluator.runs.answers import answer_shards, question_count, read_shards, unanswered
from evaluator.runs.folder import SHARDS_FOLDER, remove_leftovers, require_free, write_results
from evaluator.runs.record import RUN_FILE, EvaluationRecord, read_record, write_record
from evaluator.runs.sources.same_model import MODEL_FILE, agree_on_model, model_facts
from evaluator.runs.status import LOCK_FILE, STATUS_FILE, NoteBook, Pace, State, sole_driver
from evaluator.scoring.controls import UnderChange
from evaluator.scoring.cost import Cost
from evaluator.scoring.scorecard import Scorecard
from evaluator.scoring.scoring import score_predictions
from shared.corpus import pairs_digest
from shared.errors import InputError
from shared.files.contents import require_writable_folder
from shared.program.clock import Clock, stopwatch
from shared.program.reporting.event_log import EventLog
from shared.records import QAPair, Question

log = EventLog(__name__)

_NOTES: Final = (STATUS_FILE, MODEL_FILE, RUN_FILE, LOCK_FILE)
"""What a run writes before its first answer."""


@dataclass(frozen=True)
class Evaluation:
    """What is evaluated: scored pairs, training pairs for the prior, and what is told of them.

    ``record`` goes into ``run.json``; a folder is resumed only where its facts are the same.
    ``shard_cost`` bounds the size of a shard, see ``evaluator.answering.shards``. ``shown_instead``
    names images whose questions are asked a second time about another image, see
    ``evaluator.scoring.controls``. The questions of ``changed_images`` are asked again under each
    of ``changes``.
    """

    pairs: Sequence[QAPair]
    train_pairs: Sequence[QAPair]
    record: EvaluationRecord
    metrics: Sequence[Metric]
    shard_cost: float | None = None
    shown_instead: Mapping[str, str] = field(default_factory=dict)
    changes: Sequence[Change] = ()
    changed_images: frozenset[str] = frozenset()


def evaluate(
    evaluation: Evaluation,
    folder: Path,
    fleet: Callable[[], Fleet],
    text_models: Callable[[], TextModels],
    clock: Clock,
    *,
    answered: Callable[[], None] = lambda: None,
    cost: Callable[[Pace | None], Cost | None] = lambda _: None,
    finished: Finished = lambda scorecard, _: scorecard,
) -> Scorecard:
    """Answer what ``folder`` lacks, score everything and write the scorecard.

    ``fleet`` and ``text_models`` are called when they are needed: a run whose shards are all there
    loads no model. ``answered`` is called once nobody is to answer any more, before anything is
    scored. ``cost`` is asked at the end, and told how fast answers came; ``finished`` says
    what is known besides.

    Raises:
        InputError: the folder holds a run with other settings, another driver works in it, or model
            or judge cannot be used; nothing is left of a run without an answer.
        ShardsGivenUp: a shard could not be answered; run again to try it once more.
    """
    require_own(folder, evaluation)
    asked = _asked(evaluation)
    shards = asked.shards
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    with sole_driver(folder), _nothing_left_unanswered(folder, made):
        prepare_folder(folder, evaluation)
        remove_leftovers(folder)
        started = stopwatch()
        notes = NoteBook(folder, clock, shards=len(shards), questions=question_count(shards))
        if todo := unanswered(shards, folder):
            replicas = fleet()
            agree_on_model(folder, replicas, shards, evaluation.record)
            answer_shards(todo, replicas, evaluation.pairs, folder, shards=shards, notes=notes)
        answered()
        answered_s = stopwatch() - started
        notes.change_state(State.SCORING)
        with _answers_kept(folder):
            scorecard = _scored(
                evaluation,
                asked,
                folder,
                text_models=text_models(),
                cost=cost(notes.pace),
                finished=finished,
            )
        notes.change_state(State.FINISHED)
    log.info("done", answering_s=round(answered_s, 1), total_s=round(stopwatch() - started, 1))
    return scorecard


def _scored(
    evaluation: Evaluation,
    asked: _Asked,
    folder: Path,
    *,
    text_models: TextModels,
    cost: Cost | None,
    finished: Finished,
) -> Scorecard:
    """Score the answers of all shards, and write scores and scorecard."""
    predictions = read_shards(folder, asked.plain)
    log.info("scoring", predictions=len(predictions))
    scorecard, columns = score_predictions(
        predictions,
        metrics=evaluation.metrics,
        text_models=text_models,
        train_pairs=evaluation.train_pairs or None,
        provenance={**evaluation.record.facts(), **model_facts(folder)},
        shuffled=read_shards(folder, asked.shuffled),
        under_changes={
            str(change): UnderChange(
                change.signature, change.moves, read_shards(folder, shards), left_out
            )
            for change, (shards, left_out) in asked.changed.items()
        },
        cost=cost,
    )
    scorecard = finished(scorecard, predictions)
    write_results(folder, predictions, columns, scorecard)
    return scorecard


@contextmanager
def _nothing_left_unanswered(folder: Path, made: Sequence[Path]) -> Iterator[None]:
    """Where bad input ends a run before its first answer, take back its notes and ``made``.

    ``made`` are the folders that were not there before, the innermost first.
    """
    try:
        yield
    except InputError:
        is_begun = (folder / JOURNAL_FILE).exists() or any((folder / SHARDS_FOLDER).glob("*"))
        if not is_begun:
            for name in _NOTES:
                (folder / name).unlink(missing_ok=True)
            for path in made:
                if any(path.iterdir()):
                    break
                path.rmdir()
        raise


@contextmanager
def _answers_kept(folder: Path) -> Iterator[None]:
    """Say of what ends the scoring that the answers are not lost by it."""
    try:
        yield
    except InputError as error:
        raise InputError(
            f"{error}; the answers are kept in {folder} for the same command"
        ) from error


@dataclass(frozen=True)
class _Asked:
    """The shards of a run and of its controls, numbered one after the other.

    ``changed`` has beside those of each change how many questions it knows no way for.
    """

    plain: list[Shard]
    shuffled: list[Shard]
    changed: Mapping[Change, tuple[list[Shard], int]]

    @property
    def shards(self) -> list[Shard]:
        """Return all of them."""
        changed = [shard for shards, _ in self.changed.values() for shard in shards]
        return [*self.plain, *self.shuffled, *changed]


def _asked(evaluation: Evaluation) -> _Asked:
    # Rows are told apart by their place: the same question may stand twice, with two answers.
    questions = [
        Question(str(row), pair.question, pair.filename, pair.domain)
        for row, pair in enumerate(evaluation.pairs)
    ]
    other = evaluation.shown_instead
    shuffled = [replace(q, filename=other[q.filename]) for q in questions if q.filename in other]
    after = 0

    def cut(some: Sequence[Question]) -> list[Shard]:
        nonlocal after
        shards = cut_shards(some, evaluation.shard_cost)
        shards = [replace(shard, index=after + shard.index) for shard in shards]
        after += len(shards)
        return shards

    plain, control = cut(questions), cut(shuffled)
    changed: dict[Change, tuple[list[Shard], int]] = {}
    some = [q for q in questions if q.filename in evaluation.changed_images]
    for change in evaluation.changes:
        put = [changed_question for q in some if (changed_question := change.of(q)) is not None]
        changed[change] = cut(put), len(some) - len(put)
    return _Asked(plain, control, changed)


def prepare_folder(folder: Path, evaluation: Evaluation) -> None:
    """Write ``run.json``, or check that the one that is there says the same.

    Raises:
        InputError: see ``require_own``.
    """
    require_own(folder, evaluation)
    if not (folder / RUN_FILE).is_file():
        fingerprint = _fingerprint(evaluation)
        write_record(folder, evaluation.record.model_copy(update={"fingerprint": fingerprint}))


def require_own(folder: Path, evaluation: Evaluation) -> None:
    """Check that a folder is free for an evaluation, or holds it.

    Raises:
        InputError: ``folder`` is a file, or holds another run or files that no run wrote.
    """
    require_writable_folder(folder, "--out")
    if not (folder / RUN_FILE).is_file():
        require_free(folder)
        return
    record, before = evaluation.record, read_record(folder)
    if before.command not in {"", record.command}:
        raise InputError(f"--out {folder}: holds a run of `{before.command}`; give another folder")
    if before.fingerprint != _fingerprint(evaluation):
        facts, facts_before = record.facts(), before.facts()
        differing = [name for name in facts if facts_before.get(name) != facts[name]]
        raise InputError(
            f"--out {folder}: holds a run with another {', '.join(differing) or 'data'}; "
            "give another folder"
        )


def _fingerprint(evaluation: Evaluation) -> str:
    about = [evaluation.record.facts(), pairs_digest(evaluation.pairs), evaluation.shard_cost]
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()
