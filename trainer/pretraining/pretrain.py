"""One pre-training run from recipe to model folder."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import structlog
import torch
from transformers import BlipForQuestionAnswering, BlipProcessor

from shared.corpus import checked_columns, pairs_digest
from shared.dataset.folder import write_dataset
from shared.dataset.training_images import TrainingImages, write_training_images
from shared.errors import InputError
from shared.files.atomic import open_to_readers, require_folder
from shared.questions.answers import exact_match
from shared.questions.folding import write_folding
from shared.questions.prior import QuestionPrior
from shared.records import QAPair
from shared.vqa.blip.answerer import BlipAnswerer
from shared.vqa.loaded import BASE_ALONE, LoadedModel, Quantization
from shared.vqa.loading import load_blip
from shared.vqa.names.model_names import quiet_transformers
from trainer.data.dataset import SplitPairs, load_pairs
from trainer.data.gallery import ZOOM_MARGIN, load_gallery
from trainer.data.heldout import held_out_exact_match, seen_anew
from trainer.fitting.card import PretrainedFacts, pretrained_card
from trainer.pretraining.recipe import QUESTIONS, BatchSource, PretrainRecipe, pretrain
from trainer.pretraining.scratch import new_model, new_processor, train_tokenizer

log = structlog.get_logger(__name__)

EVALUATION_BATCH = 160
NOT_IN_CARD = {"data", "images", "columns", "out", "dataset", "title", "credit", "remarks"}
"""Places of one machine, and texts that the card holds elsewhere."""


@dataclass(frozen=True, slots=True)
class PretrainResult:
    """What was made, and its exact match on the test images, beside the question-only prior's."""

    folder: Path
    parameters: int
    exact_match: float
    exact_match_nf4: float
    prior_exact_match: float


def make_model(recipe: PretrainRecipe) -> PretrainResult:
    """Train a model from scratch and write it to ``recipe.out`` in float16, with its card.

    The folder is replaced as a whole at the end.

    Raises:
        InputError: the data or images cannot be used, or ``out`` holds something else.
    """
    _require_place(recipe.out)
    pairs = _recipe_pairs(recipe)
    torch.manual_seed(recipe.seed)
    texts = [t for pair in pairs.train for t in (QUESTIONS.fold(pair.question), pair.answer)]
    tokenizer = train_tokenizer(texts, recipe.shape)
    model = new_model(recipe.shape, tokenizer)
    processor = new_processor(recipe.shape, tokenizer)
    parameters = sum(weights.numel() for weights in model.parameters())
    log.info("new model", parameters=parameters, vocabulary=len(tokenizer))
    side = round(recipe.shape.image_size * ZOOM_MARGIN)
    gallery = load_gallery(pairs.train, recipe.images, side)
    source = BatchSource(gallery, recipe, processor, model.config)
    average = model
    for report, average in pretrain(model, source, recipe):
        log.info("epoch done", epoch=report.epoch, loss=round(report.loss, 4))
        if report.epoch % recipe.evaluate_every_epochs == 0:
            loaded = _in_memory(average, processor)
            score = _exact_match(loaded, recipe.images, pairs.validation)
            log.info("held out", epoch=report.epoch, exact_match=round(score, 4))
    _save(average, processor, pairs.pretraining_images(), recipe.out)
    if recipe.dataset is not None:
        write_dataset(
            pairs.everything,
            recipe.dataset,
            source={"data": recipe.data.name},
            split_rule=pairs.rule,
        )
    return describe(recipe)


def _recipe_pairs(recipe: PretrainRecipe) -> SplitPairs:
    columns = checked_columns(recipe.columns, "columns")
    return load_pairs(recipe.data, recipe.images, recipe.split, columns=columns)


def describe(recipe: PretrainRecipe) -> PretrainResult:
    """Measure the model in ``recipe.out`` on the test images, in 16 and in 4 bit; write its card.

    Raises:
        InputError: there is no such model, or the data cannot be used.
    """
    pairs = _recipe_pairs(recipe)
    scores = {}
    for quantization in Quantization:
        model = load_blip(str(recipe.out), quantization=quantization)
        scores[quantization] = _exact_match(model, recipe.images, pairs.test)
    prior = QuestionPrior.fit(pairs.train)
    guessed = sum(exact_match(prior.answer(pair.question), pair.answer) for pair in pairs.test)
    result = PretrainResult(
        folder=recipe.out,
        parameters=sum(
            weights.numel()
            for weights in load_blip(
                str(recipe.out), quantization=Quantization.NONE
            ).blip.parameters()
        ),
        exact_match=scores[Quantization.NONE],
        exact_match_nf4=scores[Quantization.NF4],
        prior_exact_match=guessed / len(pairs.test),
    )
    facts = PretrainedFacts(
        title=recipe.title,
        credit=recipe.credit,
        remarks=recipe.remarks,
        parameters=result.parameters,
        exact_match=result.exact_match,
        exact_match_nf4=result.exact_match_nf4,
        prior_exact_match=result.prior_exact_match,
        recipe=recipe.model_dump(mode="json", exclude=NOT_IN_CARD),
        train_images=len({pair.filename for pair in pairs.train}),
        train_pairs=len(pairs.train),
        test_images=len({pair.filename for pair in pairs.test}),
        test_pairs=len(pairs.test),
        data_sha256=pairs_digest(pairs.everything),
        versions={name: version(name) for name in ("abo-vqa", "torch", "transformers")},
    )
    (recipe.out / "README.md").write_text(pretrained_card(facts), encoding="utf-8")
    return result


def _exact_match(model: LoadedModel, images: Path, pairs: tuple[QAPair, ...]) -> float:
    answerer = BlipAnswerer(model)
    return held_out_exact_match(answerer, seen_anew(answerer, images), pairs, EVALUATION_BATCH)


def _in_memory(model: BlipForQuestionAnswering, processor: BlipProcessor) -> LoadedModel:
    return LoadedModel(
        network=model,
        peft=None,
        tokenizer=processor.tokenizer,
        image_processor=processor.image_processor,
        device=torch.device("cpu"),
        name="in training",
        revision="",
        quantization=Quantization.NONE,
        foldings={BASE_ALONE: QUESTIONS},
    )


def _require_place(out: Path) -> None:
    require_folder(out, "out")
    if out.is_dir() and any(out.iterdir()) and not (out / "config.json").is_file():
        raise InputError(f"out {out}: is there and holds no model; give another, or remove it")


def _save(
    model: BlipForQuestionAnswering,
    processor: BlipProcessor,
    images: TrainingImages,
    out: Path,
) -> None:
    part = out.with_name(f".{out.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    # Half the size, and 4 bits are coarser still.
    with quiet_transformers():
        model.half().save_pretrained(part)
    processor.save_pretrained(part)
    write_folding(QUESTIONS, part)
    write_training_images(images, part)
    open_to_readers(part)
    shutil.rmtree(out, ignore_errors=True)
    part.rename(out)
