"""The run of an adapter: scored after every epoch, kept where it is better than before."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

import torch
from peft import get_peft_model_state_dict, set_peft_model_state_dict

from shared.corpus import pairs_digest
from shared.dataset.folder import write_dataset
from shared.dataset.training_images import write_training_images
from shared.files.atomic import atomic_path
from shared.program.reporting.event_log import EventLog
from shared.program.stopping import StopSignal
from shared.program.versions import installed_versions
from shared.vqa.names.base_place import relative_place
from shared.vqa.names.public_name import public_name
from trainer.data.batches import Batches
from trainer.data.dataset import SplitPairs
from trainer.data.heldout import held_out_exact_match
from trainer.fitting.card import AdapterFacts, adapter_card
from trainer.fitting.lessons import PairLessons
from trainer.fitting.preparation import Preparation
from trainer.fitting.record import DATASET, RunRecord, write_record
from trainer.fitting.training_log import TrainingLog
from trainer.recipe.recipe import FitRecipe
from trainer.recipe.schedule import warmup_steps
from trainer.training.checkpoint import forget_checkpoint
from trainer.training.live import live_note
from trainer.training.loop import Optimization, StepReport, new_optimizer
from trainer.training.memory import out_of_memory_names, peak_memory_gib
from trainer.training.run import Course, Keeping, Run
from trainer.training.run_files import CHECKPOINT
from trainer.training.team import ALONE, Team
from trainer.training.tracking import Tracker, open_trackers

log = EventLog(__name__)

VERSIONS: Final = ("abo-vqa", "torch", "transformers", "peft", "bitsandbytes")
PLACES: Final = frozenset({"data", "images", "out", "feature_store", "sweep"})
"""Settings of one machine, or of other runs, which do not belong into a card."""

OnEpoch = Callable[[Sequence[float]], None]
"""Hears, after an epoch is saved, the held-out exact match of every epoch so far."""


def tell_nobody(_: Sequence[float]) -> None:
    """Hear nothing."""


class AdapterRun(Run[RunRecord]):
    """A run that writes an adapter to the recipe's ``out``, with its card, data and log."""

    def __init__(
        self,
        recipe: FitRecipe,
        pairs: SplitPairs,
        prepared: Preparation,
        *,
        fingerprint: str,
        stop: StopSignal,
        on_epoch: OnEpoch = tell_nobody,
        team: Team = ALONE,
    ) -> None:
        self._recipe, self._pairs, self._prepared = recipe, pairs, prepared
        self._learner, self._adapter = prepared.learner, prepared.adapter
        self._on_epoch = on_epoch
        self._log = TrainingLog(recipe.out)
        self._base_exact_match = 0.0
        self._held_out_by_epoch: list[float] = []
        self._losses: list[float] = []
        self._trackers: list[Tracker] = []
        super().__init__(
            course_of(recipe, prepared, team),
            Keeping(recipe.out, recipe.checkpoint_every_steps, fingerprint),
            stop,
        )

    def start(self, *, resume: bool) -> None:
        """Score the base, then begin at the checkpoint or at step 0; see ``Run.start``."""
        with self._adapter.base_alone():
            self._base_exact_match = self._held_out()
        super().start(resume=resume)

    def train(self) -> None:
        """Take the steps that are left, and send their numbers to the trackers."""
        with self._tracking():
            super().train()

    def finish(self) -> RunRecord:
        """Keep the adapter of the best epoch; write the card and the record."""
        recipe, model = self._recipe, self._learner.model
        self._write_card(epochs_to_come=0)
        record = RunRecord(
            recipe_sha256=self._keeping.fingerprint,
            base=model.name,
            base_revision=model.revision,
            quantization=model.quantization.value,
            lora_start=recipe.lora.start.value,
            images=relative_place(recipe.images, recipe.out),
            steps=self.step,
            base_exact_match=self._base_exact_match,
            exact_match=max(self._held_out_by_epoch),
            best_epoch=self._best_epoch,
        )
        write_record(record, recipe.out)
        forget_checkpoint(recipe.out / CHECKPOINT)
        return record

    @property
    def memory_advice(self) -> str:
        """Smaller micro-batches, more of them, or activations computed twice."""
        return memory_advice(self._recipe)

    def _begin(self) -> None:
        # Kept beside the adapter, so that it is evaluated on what it never saw.
        write_dataset(
            self._pairs.everything,
            self._recipe.out / DATASET,
            source={"data": self._recipe.data.name},
            split_rule=self._pairs.rule,
        )
        write_training_images(self._pairs.training_images(), self._recipe.out)
        self._log.begin(self._base_exact_match)

    def _weights(self) -> dict[str, torch.Tensor]:
        weights: dict[str, torch.Tensor] = get_peft_model_state_dict(self._adapter.peft)
        return weights

    def _restore(self, weights: Mapping[str, torch.Tensor]) -> None:
        set_peft_model_state_dict(self._adapter.peft, dict(weights))
        self._log.rewind(self.step)
        self._held_out_by_epoch = list(self._log.held_out())

    def _keep_step(self, report: StepReport) -> None:
        self._log.add_step(report)
        self._losses.append(report.loss)

    def _keep_epoch(self, epoch: int, report: StepReport) -> None:
        exact_match, before = self._held_out(), self._held_out_by_epoch
        self._log.add_epoch(epoch, report, exact_match)
        self._track(report.step, held_out_exact_match=exact_match)
        log.info("epoch_done", epoch=epoch, held_out_exact_match=round(exact_match, 4))
        if not before or exact_match > max(before):
            self._adapter.save(self._recipe.out)
        before.append(exact_match)

    def _epoch_saved(self, epoch: int) -> None:
        # Whoever ends the run here, as a sweep does, leaves an adapter that says what it is.
        self._write_card(epochs_to_come=self._recipe.epochs - epoch)
        self._on_epoch(tuple(self._held_out_by_epoch))

    def _tell(self, report: StepReport) -> str:
        peak_gib = peak_memory_gib(self._learner.model.device)
        self._track(
            report.step,
            loss=report.loss,
            grad_norm=report.grad_norm,
            learning_rate=report.learning_rate,
            peak_memory_gib=peak_gib,
        )
        return live_note(self._losses, self._held_out_by_epoch, peak_gib)

    def _out_of_patience(self) -> bool:
        scores, patience = self._held_out_by_epoch, self._recipe.patience_epochs
        if not patience or not scores:
            return False
        return len(scores) - 1 - scores.index(max(scores)) >= patience

    @contextmanager
    def _tracking(self) -> Iterator[None]:
        facts = self._recipe.model_dump(mode="json", exclude=set(PLACES))
        self._trackers = open_trackers(self._recipe.track, self._recipe.out, facts, self.step)
        try:
            yield
        finally:
            for tracker in self._trackers:
                tracker.close()

    def _track(self, step: int, **scalars: float) -> None:
        for tracker in self._trackers:
            tracker.log(scalars, step)

    def _held_out(self) -> float:
        size = self._recipe.evaluation_batch_size
        with out_of_memory_names(f"lower evaluation_batch_size (now {size})"):
            return held_out_exact_match(
                self._learner.answerer, self._remember, self._pairs.validation, size
            )

    def _remember(self, filenames: Sequence[str]) -> object:
        return self._learner.remember(self._prepared.features.held_out.of(filenames))

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
        model = self._learner.model
        base = public_name(model.name)
        facts = AdapterFacts(
            name=self._recipe.out.resolve().name,
            data=self._recipe.data.name,
            base=base,
            base_revision=model.revision,
            family=self._learner.family,
            quantization=model.quantization.value,
            recipe=self._recipe.model_dump(mode="json", exclude=set(PLACES)) | {"model": base},
            pairs_by_split={split: len(pairs) for split, pairs in by_split.items()},
            images_by_split={
                split: len({pair.filename for pair in pairs}) for split, pairs in by_split.items()
            },
            left_out=len(self._pairs.train) - len(self._prepared.training),
            added_labels=len(self._learner.added_labels),
            data_sha256=pairs_digest(self._pairs.everything),
            held_out=tuple(self._held_out_by_epoch),
            base_held_out=self._base_exact_match,
            best_epoch=self._best_epoch,
            epochs_to_come=epochs_to_come,
            versions=installed_versions(VERSIONS),
        )
        with atomic_path(self._recipe.out / "README.md") as part:
            part.write_text(adapter_card(facts), encoding="utf-8")


def memory_advice(recipe: FitRecipe) -> str:
    """Return which settings to change where training runs out of memory."""
    size, cut = recipe.batch_size, recipe.accumulation
    return (
        f"lower batch_size (now {size}) and raise accumulation (now {cut}) by as much: the "
        "loss stays the same; or set gradient_checkpointing = true"
    )


def course_of(recipe: FitRecipe, prepared: Preparation, team: Team) -> Course:
    """Return what a device takes its share of the steps with."""
    batches = Batches(prepared.training, recipe.batch_size, recipe.accumulation, recipe.seed)
    settings = _optimization(recipe, batches.steps_per_epoch)
    network = prepared.adapter.peft
    return Course(
        network=network,
        optimizer=new_optimizer(network, settings),
        lessons=PairLessons(prepared.learner, prepared.features.training, batches, team),
        settings=settings,
        steps_per_epoch=batches.steps_per_epoch,
        team=team,
    )


def _optimization(recipe: FitRecipe, steps_per_epoch: int) -> Optimization:
    total = recipe.epochs * steps_per_epoch
    return Optimization(
        learning_rate=recipe.learning_rate,
        schedule=recipe.schedule,
        weight_decay=recipe.weight_decay,
        warmup_steps=warmup_steps(total, recipe.warmup_min_steps, recipe.warmup_fraction),
        total_steps=total,
        max_grad_norm=recipe.max_grad_norm,
        seed=recipe.seed,
    )
