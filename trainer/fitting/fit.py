"""One fine-tuning run from recipe to adapter folder."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import structlog

from shared.corpus import checked_columns, pairs_digest
from shared.dataset.folder import write_dataset
from shared.dataset.training_images import write_training_images
from shared.errors import InputError, StoppedForNow
from shared.files.atomic import atomic_path, require_folder
from shared.program.progress import report_progress
from shared.program.stopping import StopSignal
from shared.vqa.adapting.adapters import TRAINING_RECORD
from shared.vqa.families import training_folding
from shared.vqa.names.public_name import public_name
from shared.vqa.trained_on import known_training
from trainer.data.batches import Batches
from trainer.data.dataset import SplitPairs, load_pairs
from trainer.data.heldout import held_out_exact_match
from trainer.fitting.adapter import require_targets
from trainer.fitting.card import AdapterFacts, adapter_card
from trainer.fitting.preparation import Preparation, prepare
from trainer.fitting.record import DATASET, RunRecord, finished_run, relative_place, write_record
from trainer.recipe.recipe import FitRecipe
from trainer.recipe.schedule import warmup_steps
from trainer.training.checkpoint import RunState, load_checkpoint, read_state, save_checkpoint
from trainer.training.live import live_note
from trainer.training.loop import (
    NonFiniteGradient,
    Optimization,
    StepReport,
    new_optimizer,
    train,
)
from trainer.training.memory import out_of_memory_names, peak_memory_gib
from trainer.training.tracking import Tracker, open_trackers, require_trackers

log = structlog.get_logger(__name__)

CHECKPOINT = "checkpoint"
LOG_FILE = "training.jsonl"
VERSIONS = ("abo-vqa", "torch", "transformers", "peft", "bitsandbytes")
PLACES = {"data", "images", "out", "feature_store", "sweep"}
"""Settings of one machine, or of other runs, which do not belong into a card."""
FREE_TO_CHANGE = PLACES | {
    "checkpoint_every_steps",
    "evaluation_batch_size",
    "feature_store_gib",
    "track",
}
"""Settings that a resumed run may change, since they do not change what comes out."""


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


OnEpoch = Callable[[Sequence[float]], None]
"""Hears, after an epoch is saved, the held-out exact match of every epoch so far."""


def _tell_nobody(_: Sequence[float]) -> None:
    pass


def fit(
    recipe: FitRecipe,
    *,
    resume: bool,
    stop: StopSignal | None = None,
    pairs: SplitPairs | None = None,
    on_epoch: OnEpoch = _tell_nobody,
) -> FitResult:
    """Fine-tune an adapter and write it to ``recipe.out``, with its card, data and log.

    ``pairs`` are those of the recipe's data, where they were read and checked before.

    Raises:
        InputError: the recipe's model, data or images cannot be used, or ``out`` holds the same
            run unfinished and ``resume`` is not set.
        NonFiniteGradient: training diverged; the last good state is saved.
        OutOfMemory: the message names the setting to lower.
        StoppedForNow: ``stop`` was requested; the state is saved.
    """
    require_folder(recipe.out, "out")
    require_trackers(recipe.track)
    # Looking for near-identical images takes minutes; an error in the recipe need not wait.
    require_targets(recipe.model, recipe.lora, recipe.quantize)
    if pairs is None:
        pairs = recipe_pairs(recipe)
    fingerprint = run_fingerprint(recipe, pairs)
    if resume:
        record = finished_run(recipe.out)
        if record is not None and record.recipe_sha256 == fingerprint:
            log.info("finished already", adapter=str(recipe.out))
            return _result(recipe.out, record, resumed_at_step=record.steps)
    else:
        _refuse_to_forget(recipe.out / CHECKPOINT, fingerprint)
    run = _Run(
        recipe=recipe,
        pairs=pairs,
        prepared=prepare(recipe, pairs),
        fingerprint=fingerprint,
        stop=stop or StopSignal(),
        on_epoch=on_epoch,
    )
    return run.finish(run.start(resume=resume))


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
    settings = recipe.absolute().model_dump(mode="json", exclude=FREE_TO_CHANGE)
    folding = str(training_folding(recipe.model))
    text = json.dumps([settings, pairs_digest(pairs.everything), folding], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _refuse_to_forget(checkpoint: Path, fingerprint: str) -> None:
    """Raise where starting again would throw away hours of the very same run."""
    state = read_state(checkpoint)
    if state is not None and state.recipe_sha256 == fingerprint:
        raise InputError(
            f"{checkpoint}: this run stands at step {state.step}; give --resume to go on there, or "
            "remove that folder to start again"
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


class _Run:
    """The parts of one run, wired; methods in the order of its life."""

    def __init__(
        self,
        *,
        recipe: FitRecipe,
        pairs: SplitPairs,
        prepared: Preparation,
        fingerprint: str,
        stop: StopSignal,
        on_epoch: OnEpoch = _tell_nobody,
    ) -> None:
        self._recipe, self._pairs = recipe, pairs
        self._learner, self._features = prepared.learner, prepared.features
        self._adapter, self._peft = prepared.adapter, prepared.adapter.peft
        self._left_out = len(pairs.train) - len(prepared.training)
        self._fingerprint, self._stop, self._on_epoch = fingerprint, stop, on_epoch
        with self._adapter.base_alone():
            self._base_exact_match = self._held_out()
        self._batches = Batches(
            prepared.training, recipe.batch_size, recipe.accumulation, recipe.seed
        )
        self._settings = _optimization(recipe, self._batches)
        self._optimizer = new_optimizer(self._peft, self._settings)
        self._held_out_by_epoch: list[float] = []
        self._losses: list[float] = []
        self._trackers: list[Tracker] = []

    def start(self, *, resume: bool) -> RunState:
        """Return where to begin: at the checkpoint when resuming, else at step 0."""
        checkpoint = self._recipe.out / CHECKPOINT
        fresh = RunState(0, -1.0, self._fingerprint)
        if resume:
            state = load_checkpoint(checkpoint, self._peft, self._optimizer, self._fingerprint)
            if state is not None:
                log.info("resumed", checkpoint=str(checkpoint), step=state.step)
                self._held_out_by_epoch = _rewind_log(self._recipe.out / LOG_FILE, state.step)
                return state
            log.info("nothing to resume; starting at step 0", checkpoint=str(checkpoint))
        shutil.rmtree(checkpoint, ignore_errors=True)
        for of_another_run in (LOG_FILE, TRAINING_RECORD):
            (self._recipe.out / of_another_run).unlink(missing_ok=True)
        _keep_dataset(self._recipe, self._pairs)
        self._log({"event": "start", "base_exact_match": self._base_exact_match})
        return fresh

    def finish(self, state: RunState) -> FitResult:
        """Train to the end; keep the adapter of the best epoch; write the card and the record."""
        recipe, first_step = self._recipe, state.step
        with self._tracking(first_step):
            state = self._train(state)
        self._write_card(epochs_to_come=0)
        record = RunRecord(
            recipe_sha256=self._fingerprint,
            base=self._learner.model.name,
            base_revision=self._learner.model.revision,
            quantization=self._learner.model.quantization.value,
            lora_start=recipe.lora.start.value,
            images=relative_place(recipe.images, recipe.out),
            steps=state.step,
            base_exact_match=self._base_exact_match,
            exact_match=max(self._held_out_by_epoch),
            best_epoch=self._best_epoch,
        )
        write_record(record, recipe.out)
        shutil.rmtree(recipe.out / CHECKPOINT, ignore_errors=True)
        return _result(recipe.out, record, resumed_at_step=first_step)

    @contextmanager
    def _tracking(self, first_step: int) -> Iterator[None]:
        facts = self._recipe.model_dump(mode="json", exclude=PLACES)
        self._trackers = open_trackers(self._recipe.track, self._recipe.out, facts, first_step)
        try:
            yield
        finally:
            for tracker in self._trackers:
                tracker.close()

    def _track(self, step: int, **scalars: float) -> None:
        for tracker in self._trackers:
            tracker.log(scalars, step)

    def _train(self, state: RunState) -> RunState:
        total = self._settings.total_steps
        steps = train(
            self._learner,
            self._peft,
            self._optimizer,
            features=self._features.training,
            batches=self._batches,
            settings=self._settings,
            first_step=state.step,
        )
        with report_progress("training", total) as progress, self._enough_memory():
            progress.advance(state.step)
            try:
                # A run may have been killed between its last epoch and its end.
                while state.step < total and not self._out_of_patience():
                    report = next(steps)
                    self._log({"event": "step", **asdict(report)})
                    state = self._after_step(report, state)
                    progress.advance(note=self._note(report))
                    self._stop_if_asked(state)
            except NonFiniteGradient as error:
                self._save(state)
                raise NonFiniteGradient(
                    f"{error}; the state before it is in {self._recipe.out / CHECKPOINT}"
                ) from error
        return state

    def _note(self, report: StepReport) -> str:
        self._losses.append(report.loss)
        peak_gib = peak_memory_gib(self._learner.model.device)
        self._track(
            report.step,
            loss=report.loss,
            grad_norm=report.grad_norm,
            learning_rate=report.learning_rate,
            peak_memory_gib=peak_gib,
        )
        return live_note(self._losses, self._held_out_by_epoch, peak_gib)

    def _enough_memory(self) -> AbstractContextManager[None]:
        size, cut = self._recipe.batch_size, self._recipe.accumulation
        return out_of_memory_names(
            f"lower batch_size (now {size}) and raise accumulation (now {cut}) by as much: the "
            "loss stays the same; or set gradient_checkpointing = true"
        )

    def _out_of_patience(self) -> bool:
        scores, patience = self._held_out_by_epoch, self._recipe.patience_epochs
        if not patience or not scores:
            return False
        return len(scores) - 1 - scores.index(max(scores)) >= patience

    def _stop_if_asked(self, state: RunState) -> None:
        if self._stop.requested and state.step < self._settings.total_steps:
            self._save(state)
            raise StoppedForNow(
                f"{self._stop.reason} after step {state.step}, which is saved; give the same "
                "command with --resume to go on"
            )

    def _after_step(self, report: StepReport, state: RunState) -> RunState:
        state = RunState(report.step, state.best_exact_match, self._fingerprint)
        epoch, inside = divmod(report.step, self._batches.steps_per_epoch)
        if inside == 0:
            exact_match = self._held_out()
            self._held_out_by_epoch.append(exact_match)
            self._log(
                {
                    "event": "epoch",
                    "epoch": epoch,
                    "step": report.step,
                    "loss": report.loss,
                    "exact_match": exact_match,
                }
            )
            self._track(report.step, held_out_exact_match=exact_match)
            log.info("epoch done", epoch=epoch, held_out_exact_match=round(exact_match, 4))
            if exact_match > state.best_exact_match:
                self._adapter.save(self._recipe.out)
                state = RunState(report.step, exact_match, self._fingerprint)
        if inside == 0 or report.step % self._recipe.checkpoint_every_steps == 0:
            self._save(state)
        if inside == 0:
            # Whoever ends the run here, as a sweep does, leaves an adapter that says what it is.
            self._write_card(epochs_to_come=self._recipe.epochs - epoch)
            self._on_epoch(tuple(self._held_out_by_epoch))
        return state

    def _save(self, state: RunState) -> None:
        save_checkpoint(self._recipe.out / CHECKPOINT, self._peft, self._optimizer, state)

    def _held_out(self) -> float:
        size = self._recipe.evaluation_batch_size
        with out_of_memory_names(f"lower evaluation_batch_size (now {size})"):
            return held_out_exact_match(
                self._learner.answerer, self._remember, self._pairs.validation, size
            )

    def _remember(self, filenames: Sequence[str]) -> object:
        return self._learner.remember(self._features.held_out.of(filenames))

    def _log(self, row: Mapping[str, object]) -> None:
        with (self._recipe.out / LOG_FILE).open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    @property
    def _best_epoch(self) -> int:
        scores = self._held_out_by_epoch
        return scores.index(max(scores)) + 1

    def _write_card(self, *, epochs_to_come: int) -> None:
        by_split = {
            "train": self._pairs.train,
            "validation": self._pairs.validation,
            "test": self._pairs.test,
        }
        base = public_name(self._learner.model.name)
        facts = AdapterFacts(
            base=base,
            base_revision=self._learner.model.revision,
            family=self._learner.family,
            quantization=self._learner.model.quantization.value,
            recipe=self._recipe.model_dump(mode="json", exclude=PLACES) | {"model": base},
            pairs_by_split={split: len(pairs) for split, pairs in by_split.items()},
            images_by_split={
                split: len({pair.filename for pair in pairs}) for split, pairs in by_split.items()
            },
            left_out=self._left_out,
            added_labels=len(self._learner.added_labels),
            data_sha256=pairs_digest(self._pairs.everything),
            held_out=tuple(self._held_out_by_epoch),
            base_held_out=self._base_exact_match,
            best_epoch=self._best_epoch,
            epochs_to_come=epochs_to_come,
            versions={name: version(name) for name in VERSIONS},
        )
        with atomic_path(self._recipe.out / "README.md") as part:
            part.write_text(adapter_card(facts), encoding="utf-8")


def _optimization(recipe: FitRecipe, batches: Batches) -> Optimization:
    total = recipe.epochs * batches.steps_per_epoch
    return Optimization(
        learning_rate=recipe.learning_rate,
        schedule=recipe.schedule,
        weight_decay=recipe.weight_decay,
        warmup_steps=warmup_steps(total, recipe.warmup_min_steps, recipe.warmup_fraction),
        total_steps=total,
        max_grad_norm=recipe.max_grad_norm,
        seed=recipe.seed,
    )


def _keep_dataset(recipe: FitRecipe, pairs: SplitPairs) -> None:
    """Keep pairs and split beside the adapter, so that it is evaluated on what it never saw."""
    write_dataset(
        pairs.everything,
        recipe.out / DATASET,
        source={"data": recipe.data.name},
        split_rule=pairs.rule,
    )
    write_training_images(pairs.training_images(), recipe.out)


def _rewind_log(log_file: Path, step: int) -> list[float]:
    """Drop what was logged after ``step``, which happens again; return exact match by epoch."""
    rows = [json.loads(line) for line in log_file.read_text(encoding="utf-8").splitlines()]
    kept = [row for row in rows if row.get("step", 0) <= step]
    with atomic_path(log_file) as part:
        part.write_text("".join(json.dumps(row) + "\n" for row in kept), encoding="utf-8")
    return [row["exact_match"] for row in kept if row["event"] == "epoch"]
