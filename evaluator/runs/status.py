"""How far a run is: what its driver notes while it works, and what anyone may read from it.

RUN/status.json   the driver's notes; all times of a run stand here; of them, the scorecard
                  has what 1,000 answers cost alone
RUN/run.lock      held by the driver while it lives

Shards are counted from their files, so a driver that was killed leaves a true count behind.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from evaluator.runs.folder import SCORECARD_FILE, SHARDS_FOLDER
from evaluator.runs.record import RUN_FILE, read_record
from shared.corpus import count_predictions, read_json, write_json
from shared.errors import InputError
from shared.files.locking import is_held, sole
from shared.program.clock import Clock
from shared.program.durations import duration

STATUS_FILE: Final = "status.json"
LOCK_FILE: Final = "run.lock"


class State(StrEnum):
    """What a run is doing; ``STOPPED`` and ``INCOMPLETE`` go on by the same command."""

    LOADING = "loading"
    ANSWERING = "answering"
    SCORING = "scoring"
    FINISHED = "finished"
    STOPPED = "stopped"
    INCOMPLETE = "incomplete"


@dataclass(frozen=True, slots=True)
class Notes:
    """The driver's notes. Times are seconds since the epoch.

    ``answered`` counts questions from ``answering_since`` to ``answered_at``, by this driver alone;
    ``before`` are questions and seconds of the drivers before it. ``given_up`` maps a shard's
    number to the reason.
    """

    state: State
    host: str
    pid: int
    shards: int
    questions: int
    replicas: int
    replicas_ready: int
    started_at: float
    updated_at: float
    answering_since: float | None
    answered: int
    given_up: Mapping[str, str]
    answered_at: float | None = None
    asks_an_address: bool = False
    before: tuple[int, float] = (0, 0.0)


@dataclass(frozen=True, slots=True)
class Pace:
    """How many questions were answered, and in how many seconds of answering, by all drivers."""

    answers: int
    seconds: float


class NoteBook:
    """Keeps ``status.json`` true while a run works."""

    def __init__(self, folder: Path, clock: Clock, *, shards: int, questions: int) -> None:
        self._path, self._clock = folder / STATUS_FILE, clock
        now = clock.now()
        earlier = _read_notes(self._path)
        self._notes = Notes(
            state=State.LOADING,
            host=socket.gethostname(),
            pid=os.getpid(),
            shards=shards,
            questions=questions,
            replicas=0,
            replicas_ready=0,
            started_at=now,
            updated_at=now,
            answering_since=None,
            answered=0,
            given_up={},
            before=(0, 0.0) if earlier is None else _all_so_far(earlier),
        )
        self._write()

    @property
    def rate_per_s(self) -> float:
        """Return questions per second over all replicas, of this driver."""
        return _rate_per_s(self._notes)

    @property
    def pace(self) -> Pace | None:
        """Return how fast answers came in this run; ``None`` where nobody measured."""
        answers, seconds = _all_so_far(self._notes)
        return Pace(answers, seconds) if answers and seconds > 0 else None

    def answering(self, replicas: int, ready: int, *, asks_an_address: bool = False) -> None:
        """Note that the first replica is ready, or that an address can be asked."""
        self._change(
            asks_an_address=asks_an_address,
            state=State.ANSWERING,
            replicas=replicas,
            replicas_ready=ready,
            answering_since=self._clock.now(),
        )

    def shard_answered(self, questions: int, ready: int) -> None:
        """Note a finished shard."""
        self._change(
            answered=self._notes.answered + questions,
            answered_at=self._clock.now(),
            replicas_ready=ready,
        )

    def shard_given_up(self, shard: int, reason: str) -> None:
        """Note a shard that is not tried again."""
        self._change(given_up={**self._notes.given_up, str(shard): reason})

    def change_state(self, state: State) -> None:
        """Note what the run does from now on."""
        self._change(state=state)

    def _change(self, **values: Any) -> None:  # noqa: ANN401
        self._notes = replace(self._notes, updated_at=self._clock.now(), **values)
        self._write()

    def _write(self) -> None:
        write_json(asdict(self._notes), self._path)


@dataclass(frozen=True, slots=True)
class RunStatus:
    """What ``evaluator status`` says. ``notes`` is ``None`` for a run without a driver's notes."""

    name: str
    state: State
    shards_done: int
    questions_done: int
    rate_per_s: float
    eta_s: float | None
    notes: Notes | None
    scorecard: Mapping[str, Any] | None

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``--json`` prints."""
        notes = self.notes
        value: dict[str, Any] = {
            "name": self.name,
            "state": self.state.value,
            "shards": {"done": self.shards_done, "total": notes and notes.shards},
            "questions": {"done": self.questions_done, "total": notes and notes.questions},
            "rate_per_s": round(self.rate_per_s, 3),
            "eta_s": None if self.eta_s is None else round(self.eta_s),
            "scorecard": self.scorecard,
        }
        if notes:
            value |= {
                "given_up": dict(notes.given_up),
                "replicas": {"ready": notes.replicas_ready, "total": notes.replicas},
                "driver": {"host": notes.host, "pid": notes.pid},
                "started_at": utc(notes.started_at),
                "updated_at": utc(notes.updated_at),
            }
        return value


@contextmanager
def sole_driver(folder: Path) -> Iterator[None]:
    """Hold the run folder, so that no second driver works in it.

    Raises:
        LockHeld: one does already.
    """
    held = f"--out {folder}: another `evaluator run` works in this folder"
    with sole(folder / LOCK_FILE, held, "wait for it, stop it, or give another folder"):
        yield


def read_status(folder: Path, now: float) -> RunStatus:
    """Return how far the run in ``folder`` is at the time ``now``.

    Raises:
        InputError: no run was ever started there.
    """
    if not (folder / RUN_FILE).is_file():
        raise InputError(f"{folder}: not a run folder ({RUN_FILE} is missing)")
    record = read_record(folder)
    notes = _read_notes(folder / STATUS_FILE)
    finished = (folder / SCORECARD_FILE).is_file()
    shards = sorted((folder / SHARDS_FOLDER).glob("shard-*.parquet"))
    done = sum(count_predictions(path) for path in shards)
    state = _state(notes, finished=finished, alive=is_held(folder / LOCK_FILE))
    rate = _rate_per_s(notes) if notes else 0.0
    eta = None
    if notes and state is State.ANSWERING and rate:
        eta = max(0.0, (notes.questions - done) / rate - (now - notes.updated_at))
    return RunStatus(
        name=record.name or folder.resolve().name,
        state=state,
        shards_done=len(shards),
        questions_done=done,
        rate_per_s=rate,
        eta_s=eta,
        notes=notes,
        scorecard=read_json(folder / SCORECARD_FILE) if finished else None,
    )


def status_lines(status: RunStatus) -> list[str]:
    """Return the same for people, line by line."""
    facts, means = _facts(status), _means(status)
    widest = max(map(len, ("questions", *(name for name, _ in means))))
    told, scored = (
        [f"{name:<{widest}}  {value}" for name, value in pairs] for pairs in (facts, means)
    )
    lines = [f"{status.name}: {status.state.value}", *told]
    if status.state in {State.STOPPED, State.INCOMPLETE}:
        lines.append("run the same command again to go on")
    return [*lines, *scored]


def _facts(status: RunStatus) -> list[tuple[str, str]]:
    notes = status.notes
    if notes is None:
        return []
    rate = f", {status.rate_per_s:.1f} a second" if status.rate_per_s else ""
    left = "" if status.eta_s is None else f", about {duration(status.eta_s)} left"
    heard = f"{notes.host}, process {notes.pid}, last heard of {utc(notes.updated_at)}"
    ready = f"{notes.replicas_ready} of {notes.replicas} ready"
    at_once = f"{notes.replicas} at once"
    return [
        ("shards", f"{status.shards_done} of {notes.shards}"),
        ("questions", f"{status.questions_done} of {notes.questions}{rate}{left}"),
        ("requests", at_once) if notes.asks_an_address else ("replicas", ready),
        ("driver", heard),
        *(("given up", f"shard {shard}: {why}") for shard, why in notes.given_up.items()),
    ]


def _means(status: RunStatus) -> list[tuple[str, str]]:
    if status.scorecard is None:
        return []
    figures = status.scorecard["metrics"]
    return [(name, f"{figure['mean']:.4f}") for name, figure in figures.items()]


def utc(seconds: float) -> str:
    """Return a time in ISO 8601, UTC, to the second."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _state(notes: Notes | None, *, finished: bool, alive: bool) -> State:
    if alive and notes:
        return notes.state
    if finished:
        return State.FINISHED
    return State.INCOMPLETE if notes and notes.state is State.INCOMPLETE else State.STOPPED


def _all_so_far(notes: Notes) -> tuple[int, float]:
    """Return questions and seconds of answering, of one driver and those before it."""
    answers, seconds = notes.before
    if notes.answering_since is not None and notes.answered_at is not None:
        seconds += notes.answered_at - notes.answering_since
    return answers + notes.answered, seconds


def _rate_per_s(notes: Notes) -> float:
    if notes.answering_since is None or notes.updated_at <= notes.answering_since:
        return 0.0
    return notes.answered / (notes.updated_at - notes.answering_since)


def _read_notes(path: Path) -> Notes | None:
    if not path.is_file():
        return None
    value = read_json(path)
    try:
        answers, seconds = value.get("before", (0, 0.0))
        return Notes(**{**value, "state": State(value["state"]), "before": (answers, seconds)})
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: not the notes of a run ({error})") from error
