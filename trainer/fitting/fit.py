"""``trainer fit``: what a run needs is checked first, then it is started, trained and finished."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.markup import escape

from shared.corpus import checked_columns, pairs_digest
from shared.errors import InputError
from shared.files.contents import require_writable_folder, written_names
from shared.program.reporting.event_log import EventLog
from shared.program.reporting.notebook import html_of
from shared.program.stopping import StopSignal
from shared.vqa.families import training_folding
from shared.vqa.trained_on import known_training
from trainer.data.dataset import SplitPairs, load_pairs
from trainer.fitting.adapter import require_targets
from trainer.fitting.helping import HelpingRun
from trainer.fitting.preparation import prepare
from trainer.fitting.record import DATASET, RunRecord, finished_run
from trainer.fitting.run import PLACES, AdapterRun, OnEpoch, tell_nobody
from trainer.recipe.recipe import FitRecipe
from trainer.training.checkpoint import fingerprint_of, require_own, sole_run
from trainer.training.run_files import CHECKPOINT, LOG_FILE
from trainer.training.team import ALONE, Team
from trainer.training.tracking import require_trackers

log = EventLog(__name__)

FREE_TO_CHANGE: Final = PLACES | {
    "checkpoint_every_steps",
    "evaluation_batch_size",
    "feature_store_gib",
    "track",
}
"""Settings that a resumed run may change, since they do not change what comes out."""

_LEFT_BY_A_RUN: Final = frozenset({LOG_FILE, DATASET, CHECKPOINT})
"""One of these is there as soon as a run has begun."""


@dataclass(frozen=True, slots=True)
class FitResult:
    """What a finished run reports; exact match in [0, 1] on the validation split.

    ``resumed_at_step`` is 0 for a run that was not resumed, and ``steps`` for one that had been
    finished before.
    """

    adapter: Path
    steps: int
    base_exact_match: float
    exact_match: float
    best_epoch: int
    resumed_at_step: int

    def sentence(self) -> str:
        """Return the result in a line."""
        return (
            f"{self.adapter}: held-out exact match {self.exact_match:.4f} "
            f"(base alone {self.base_exact_match:.4f}), epoch {self.best_epoch}, {self.steps} steps"
        )

    def _repr_html_(self) -> str:
        return html_of(escape(self.sentence()))


def fit(
    recipe: FitRecipe,
    *,
    resume: bool,
    stop: StopSignal | None = None,
    pairs: SplitPairs | None = None,
    on_epoch: OnEpoch = tell_nobody,
    team: Team = ALONE,
) -> FitResult:
    """Fine-tune an adapter and write it to ``recipe.out``, with its card, data and log.

    ``pairs`` are those of the recipe's data, where they were read and checked before. Of a team,
    the first device calls this, and each of the others ``help_fit``.

    Raises:
        InputError: the recipe's model, data or images cannot be used, or ``out`` holds another
            run, or this one and ``resume`` is not set, or another process trains there.
        NonFiniteGradient: training diverged; the last good state is saved.
        OutOfMemory: the message names the setting to lower.
        StoppedForNow: ``stop`` was requested; the state is saved.
    """
    require_writable_folder(recipe.out, "out")
    record = _finished(recipe.out, resume=resume)
    require_trackers(recipe.track)
    # Looking for near-identical images takes minutes; an error in the recipe need not wait.
    require_targets(recipe.model, recipe.lora, recipe.quantize)
    team.told(record is None)
    if pairs is None:
        pairs = recipe_pairs(recipe)
    fingerprint = run_fingerprint(recipe, pairs)
    if record is not None:
        _require_same(record, fingerprint, recipe.out)
        log.info("finished_already", adapter=str(recipe.out))
        return _result(recipe.out, record, resumed_at_step=record.steps)
    require_own(recipe.out / CHECKPOINT, fingerprint, resume=resume)
    run = AdapterRun(
        recipe,
        pairs,
        prepare(recipe, pairs),
        fingerprint=fingerprint,
        stop=stop or StopSignal(),
        on_epoch=on_epoch,
        team=team,
    )
    with sole_run(recipe.out):
        run.start(resume=resume)
        first_step = run.step
        run.train()
        return _result(recipe.out, run.finish(), resumed_at_step=first_step)


def help_fit(recipe: FitRecipe, *, resume: bool, stop: StopSignal, team: Team) -> None:
    """Take this device's share of a run whose first device calls ``fit``.

    Raises:
        NonFiniteGradient, StoppedForNow: as ``fit``, which says it for all.
        OutOfMemory: the message names the setting to lower.
    """
    begins = bool(team.told(0))
    if not begins:
        return
    pairs = recipe_pairs(recipe)
    fingerprint = run_fingerprint(recipe, pairs)
    run = HelpingRun(recipe, prepare(recipe, pairs), fingerprint=fingerprint, stop=stop, team=team)
    run.start(resume=resume)
    run.train()


def recipe_pairs(recipe: FitRecipe) -> SplitPairs:
    """Read and divide a recipe's data, none of what its base was trained on held out.

    Raises:
        InputError: as ``trainer.data.dataset.load_pairs``, or there is no such model.
    """
    return load_pairs(
        recipe.data,
        recipe.images,
        recipe.split,
        columns=checked_columns(recipe.columns, "columns"),
        allow_leaks=recipe.allow_leaks,
        base=known_training(recipe.model).images,
    )


def run_fingerprint(recipe: FitRecipe, pairs: SplitPairs) -> str:
    """Return one digest of all that decides what a run makes, so that only the same run resumes."""
    # The model is the same folder from wherever it is named.
    settings = recipe.absolute().model_dump(mode="json", exclude=set(FREE_TO_CHANGE))
    folding = str(training_folding(recipe.model))
    return fingerprint_of(settings, pairs_digest(pairs.everything), folding)


def _finished(out: Path, *, resume: bool) -> RunRecord | None:
    """Return the record of the finished run in ``out``, which only ``resume`` may find there."""
    record = finished_run(out)
    if record is not None and not resume:
        raise InputError(f"{out}: holds a finished adapter; give another `out` or remove it")
    if record is None and _holds_something_else(out):
        raise InputError(
            f"{out}: is there and holds no run of `trainer fit`; give another `out` or remove it"
        )
    return record


def _holds_something_else(out: Path) -> bool:
    names = written_names(out)
    return bool(names) and not names & _LEFT_BY_A_RUN


def _require_same(record: RunRecord, fingerprint: str, out: Path) -> None:
    if record.recipe_sha256 != fingerprint:
        raise InputError(
            f"{out}: holds a finished adapter of another recipe or other data; give another `out` "
            "or remove it"
        )


def _result(adapter: Path, record: RunRecord, *, resumed_at_step: int) -> FitResult:
    return FitResult(
        adapter=adapter,
        steps=record.steps,
        base_exact_match=record.base_exact_match,
        exact_match=record.exact_match,
        best_epoch=record.best_epoch,
        resumed_at_step=resumed_at_step,
    )
