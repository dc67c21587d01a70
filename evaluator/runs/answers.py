"""The answers of a run: shard after shard, each kept in a file of its own once it is complete."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from evaluator.answering.attention import overlap_with_boxes
from evaluator.answering.fleet import Fleet, Heard, LocalFleet
from evaluator.answering.messages import Reply
from evaluator.answering.shards import Shard
from evaluator.runs.folder import shard_path
from evaluator.runs.status import NoteBook, State
from shared.corpus import read_predictions, write_predictions
from shared.errors import AboVqaError
from shared.program.clock import stopwatch
from shared.program.reporting.event_log import EventLog
from shared.program.reporting.progress import ProgressReport, report_progress
from shared.records import Prediction, QAPair

log = EventLog(__name__)


class ShardsGivenUp(AboVqaError):
    """Some shards killed every replica that took them; the others are done and kept."""


def question_count(shards: Iterable[Shard]) -> int:
    """Return how many questions some shards have together."""
    return sum(len(shard.questions) for shard in shards)


def unanswered(shards: Sequence[Shard], folder: Path) -> list[Shard]:
    """Return the shards that ``folder`` lacks."""
    todo = [shard for shard in shards if not shard_path(folder, shard.index).is_file()]
    if done := len(shards) - len(todo):
        log.info("resumed", folder=str(folder), done=done, shards=len(shards))
    return todo


def answer_shards(
    todo: Sequence[Shard],
    fleet: Fleet,
    pairs: Sequence[QAPair],
    folder: Path,
    *,
    shards: Sequence[Shard],
    notes: NoteBook,
) -> None:
    """Let ``fleet`` answer what is left, and write each shard as it comes.

    Args:
        todo: the shards to answer.
        fleet: whoever answers them.
        pairs: what is asked; a question's id is the place of its pair.
        folder: the run folder.
        shards: all shards of the run, those that are answered too.
        notes: told of each shard.

    Raises:
        ShardsGivenUp: some could not be answered; the others are written.
    """
    notes.answering(fleet.replicas, fleet.ready, asks_an_address=fleet.called != LocalFleet.called)
    total = question_count(shards)
    done = total - question_count(todo)
    given_up: list[int] = []
    reasons: Counter[str] = Counter()
    with report_progress("answering", total, done=done) as progress:
        for answers in fleet.answered_shards(todo, _told_to(progress, fleet)):
            shard = answers.shard
            if answers.replies is None:
                given_up.append(shard.index)
                reasons[answers.reason] += 1
                notes.shard_given_up(shard.index, answers.reason)
                continue
            rows = _predictions(answers.replies, pairs)
            write_predictions(rows, shard_path(folder, shard.index), {})
            notes.shard_answered(len(rows), fleet.ready)
    if given_up:
        notes.change_state(State.INCOMPLETE)
        [(reason, _)] = reasons.most_common(1)
        raise ShardsGivenUp(
            f"{folder}: {len(given_up)} of {len(shards)} shards could not be answered "
            f"({', '.join(map(str, sorted(given_up)))}): {reason}; the rest is kept: run the same "
            "command again to try them once more"
        )


def read_shards(folder: Path, shards: Sequence[Shard]) -> list[Prediction]:
    """Return the answers of shards that ``folder`` has."""
    return [
        prediction
        for shard in shards
        for prediction in read_predictions(shard_path(folder, shard.index))
    ]


def _told_to(progress: ProgressReport, fleet: Fleet) -> Heard:
    """Return what counts answers as they come, with their rate so far."""
    started, answered = stopwatch(), 0

    def heard(count: int) -> None:
        nonlocal answered
        answered += count
        rate = answered / max(1e-9, stopwatch() - started)
        at_work = f"{fleet.ready} of {fleet.replicas} {fleet.called}"
        progress.advance(count, f"{rate:.1f} questions/s, {at_work}")

    return heard


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
        failure=reply.failure,
        # Here, since replicas are not told of boxes: nothing must see what it is judged by.
        grounding_boxes=overlap_with_boxes(reply.attention, pair.boxes),
    )
