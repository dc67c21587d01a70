"""The run of a model from scratch: every step moves an average, which is scored and kept."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch
from torch import nn
from transformers import BlipForQuestionAnswering, BlipProcessor

from shared.dataset.folder import write_dataset
from shared.dataset.training_images import TrainingImages, together, write_training_images
from shared.files.atomic import replaced_folder
from shared.program.reporting.event_log import EventLog
from shared.program.stopping import StopSignal
from shared.questions.folding import write_folding
from shared.records import QAPair
from shared.vqa.blip.answerer import BlipAnswerer
from shared.vqa.inputs.tokenizer_state import forget_last_texts
from shared.vqa.loaded import BASE_ALONE, LoadedModel, best_device
from shared.vqa.names.model_names import quiet_transformers
from shared.vqa.quantization import Quantization
from shared.vqa.trained_on import known_training
from trainer.data.dataset import SplitPairs
from trainer.data.gallery import ZOOM_MARGIN, load_gallery
from trainer.data.heldout import held_out_exact_match, seen_anew
from trainer.pretraining.average import WeightAverage
from trainer.pretraining.lessons import QUESTIONS, PictureLessons
from trainer.pretraining.optimizer import optimizer_of
from trainer.pretraining.recipe import PretrainRecipe
from trainer.pretraining.scratch import new_model, new_processor, train_tokenizer
from trainer.pretraining.starting import continued_model
from trainer.pretraining.teaching.beginning import taught_by
from trainer.pretraining.teaching.lessons import TaughtLessons
from trainer.pretraining.teaching.stages import (
    Stage,
    StagedOptimization,
    stage_at,
    stages_of,
    steps_of_stage,
)
from trainer.pretraining.teaching.teacher import Teacher
from trainer.recipe.schedule import Schedule
from trainer.training.loop import StepReport
from trainer.training.run import Course, Keeping, Run

log = EventLog(__name__)

EVALUATION_BATCH: Final = 160


class ModelRun(Run[None]):
    """A run that writes a model to the recipe's ``out`` in float16, whole and at its end."""

    def __init__(
        self,
        recipe: PretrainRecipe,
        pairs: SplitPairs,
        *,
        fingerprint: str,
        stop: StopSignal,
        teacher: Teacher | None = None,
    ) -> None:
        self._recipe, self._pairs = recipe, pairs
        self._model, self._processor = _new_network(recipe, pairs)
        self._model.to(best_device())
        self._losses: list[float] = []
        side = round(recipe.shape.image_size * ZOOM_MARGIN)
        side = side if teacher is None else max(side, teacher.side)
        gallery = load_gallery(pairs.train, recipe.images, side)
        lessons: PictureLessons | TaughtLessons
        lessons = PictureLessons(self._model, self._processor, gallery, recipe)
        self._network: nn.Module = self._model
        self._average: WeightAverage[Any]
        if teacher is None:
            self._average = WeightAverage(self._model, recipe.average_decay)
            self._kept: BlipForQuestionAnswering = self._average.model
        else:
            self._network, self._average, lessons = taught_by(teacher, lessons)
            self._kept = self._average.model.model
        self._lessons = lessons
        super().__init__(
            _course(self._network, lessons, recipe),
            Keeping(recipe.out, lessons.steps_per_epoch, fingerprint),
            stop,
        )

    def finish(self) -> None:
        """Write its pairs where the recipe says so, and the averaged model."""
        # The model comes last: a folder that holds it is finished.
        if self._recipe.dataset is not None:
            write_dataset(
                self._pairs.everything,
                self._recipe.dataset,
                source={"data": self._recipe.data.name},
                split_rule=self._pairs.rule,
            )
        with replaced_folder(self._recipe.out) as part:
            # Half the size, and 4 bits are coarser still.
            with quiet_transformers():
                self._kept.half().save_pretrained(part)
            forget_last_texts(self._processor.tokenizer)
            self._processor.save_pretrained(part)
            write_folding(QUESTIONS, part)
            write_training_images(self._learned_from(), part)

    def _learned_from(self) -> TrainingImages:
        """Return the images that these weights come of, with those of the model before."""
        before = None
        if self._recipe.start_from:
            before = known_training(self._recipe.start_from).images
        own = self._pairs.pretraining_images()
        return own if before is None else together([before, own])

    @property
    def memory_advice(self) -> str:
        """Fewer images, or fewer questions about each."""
        recipe = self._recipe
        return (
            f"lower images_per_batch (now {recipe.images_per_batch}) or questions_per_image (now "
            f"{recipe.questions_per_image})"
        )

    def _begin(self) -> None:
        log.info(
            "new_model",
            parameters=sum(weights.numel() for weights in self._model.parameters()),
            vocabulary=len(self._processor.tokenizer),
        )

    def _weights(self) -> dict[str, torch.Tensor]:
        return self._networks_weights()

    @torch.no_grad()
    def _restore(self, weights: Mapping[str, torch.Tensor]) -> None:
        for name, weight in self._networks_weights().items():
            weight.copy_(weights[name])

    def _networks_weights(self) -> dict[str, torch.Tensor]:
        """Return the weights of the model and of its average; those that are shared once."""
        networks = {"model": self._network, "average": self._average.model}
        return {
            f"{of}.{name}": weight.detach()
            for of, network in networks.items()
            for name, weight in network.named_parameters()
        }

    def _keep_step(self, report: StepReport) -> None:
        # Of a stage before, little is worth keeping: its own part began at random.
        done = steps_of_stage(self._recipe, report.step, self._course.steps_per_epoch)
        self._average.update(self._network, done)
        if isinstance(self._lessons, TaughtLessons):
            self._lessons.after(report.step)
        self._losses.append(report.loss)

    def _keep_epoch(self, epoch: int, report: StepReport) -> None:
        del report
        stage = stage_at(self._recipe, epoch - 1)
        loss = round(sum(self._losses) / len(self._losses), 4)
        log.info("epoch_done", epoch=epoch, stage=stage.value, loss=loss)
        self._losses.clear()
        # Before, the model does not see by itself.
        if stage is Stage.ANSWERING and epoch % self._recipe.evaluate_every_epochs == 0:
            model = _in_memory(self._kept, self._processor)
            score = exact_match_of(model, self._recipe.images, self._pairs.validation)
            log.info("held_out", epoch=epoch, exact_match=round(score, 4))


def exact_match_of(model: LoadedModel, images: Path, pairs: tuple[QAPair, ...]) -> float:
    """Return the share of pairs that a BLIP answers exactly, in [0, 1]."""
    answerer = BlipAnswerer(model)
    return held_out_exact_match(answerer, seen_anew(answerer, images), pairs, EVALUATION_BATCH)


def _new_network(
    recipe: PretrainRecipe, pairs: SplitPairs
) -> tuple[BlipForQuestionAnswering, BlipProcessor]:
    torch.manual_seed(recipe.seed)
    if recipe.start_from:
        return continued_model(recipe.start_from, recipe.shape, texts_anew=recipe.texts_anew)
    texts = [text for pair in pairs.train for text in (QUESTIONS.fold(pair.question), pair.answer)]
    tokenizer = train_tokenizer(texts, recipe.shape)
    return new_model(recipe.shape, tokenizer), new_processor(recipe.shape, tokenizer)


def _course(
    network: nn.Module, lessons: PictureLessons | TaughtLessons, recipe: PretrainRecipe
) -> Course:
    steps = tuple(epochs * lessons.steps_per_epoch for epochs in stages_of(recipe).values())
    settings = StagedOptimization(
        learning_rate=recipe.learning_rate,
        schedule=Schedule.COSINE,
        weight_decay=recipe.weight_decay,
        warmup_steps=0,
        total_steps=sum(steps),
        max_grad_norm=recipe.max_grad_norm,
        seed=recipe.seed,
        stages=steps,
        warmup_fraction=recipe.warmup_fraction,
    )
    optimizer = optimizer_of(network, recipe)
    return Course(network, optimizer, lessons, settings, lessons.steps_per_epoch)


def _in_memory(model: BlipForQuestionAnswering, processor: BlipProcessor) -> LoadedModel:
    return LoadedModel(
        network=model,
        peft=None,
        tokenizer=processor.tokenizer,
        image_processor=processor.image_processor,
        device=model.device,
        name="in training",
        revision="",
        quantization=Quantization.NONE,
        foldings={BASE_ALONE: QUESTIONS},
    )
