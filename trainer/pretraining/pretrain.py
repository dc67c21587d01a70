"""``trainer pretrain``: a run from scratch is started, trained and finished, then measured."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shared.corpus import checked_columns, pairs_digest
from shared.errors import InputError
from shared.files.atomic import atomic_path, settle_folder, whole_folder
from shared.files.contents import require_writable_folder, written_names
from shared.program.stopping import StopSignal
from shared.program.versions import installed_versions
from shared.questions.answers import exact_match
from shared.questions.prior import QuestionPrior
from shared.vqa.loading import load_blip
from shared.vqa.quantization import Quantization
from shared.vqa.trained_on import known_training
from trainer.data.dataset import SplitPairs, load_pairs
from trainer.pretraining.card import PretrainedFacts, pretrained_card
from trainer.pretraining.optimizer import require_optimizer
from trainer.pretraining.recipe import PretrainRecipe
from trainer.pretraining.run import ModelRun, exact_match_of
from trainer.pretraining.teaching.teacher import Teacher, known_teachers, load_teacher
from trainer.training.checkpoint import fingerprint_of, require_own, sole_run
from trainer.training.run_files import CHECKPOINT

NOT_IN_CARD: Final = frozenset(
    {"data", "images", "columns", "out", "dataset", "title", "credit", "remarks"}
)
"""Places of one machine, and texts that the card holds elsewhere."""
FREE_TO_CHANGE: Final = NOT_IN_CARD | {"evaluate_every_epochs"}
"""Settings that a resumed run may change, since they do not change what comes out."""


@dataclass(frozen=True, slots=True)
class PretrainResult:
    """What was made, and its exact match on the test images, beside the question-only prior's."""

    folder: Path
    parameters: int
    exact_match: float
    exact_match_nf4: float
    prior_exact_match: float


def make_model(
    recipe: PretrainRecipe, *, resume: bool, stop: StopSignal | None = None
) -> PretrainResult:
    """Train a model from scratch and write it to ``recipe.out`` in float16, with its card.

    The folder is written as a whole at the end; until then it holds a checkpoint.

    Raises:
        InputError: the data or images cannot be used, or ``out`` holds a model or something else,
            or this run unfinished and ``resume`` is not set; or its teacher is not installed.
        NonFiniteGradient: training diverged; the last good state is saved.
        OutOfMemory: the message names the setting to lower.
        StoppedForNow: ``stop`` was requested; the state is saved.
    """
    settle_folder(recipe.out)
    _require_place(recipe.out)
    # What is missing is told before thousands of pictures are looked at.
    teacher = require_means(recipe)
    pairs = recipe_pairs(recipe)
    if not pairs.test:
        raise InputError(f"{recipe.data}: has no test pairs, on which the model is measured")
    settings = recipe.model_dump(mode="json", exclude=set(FREE_TO_CHANGE))
    if teacher is not None:
        settings["teacher_sha256"] = known_teachers()[recipe.teaching.teacher].sha256
    fingerprint = fingerprint_of(settings, pairs_digest(pairs.everything))
    require_own(recipe.out / CHECKPOINT, fingerprint, resume=resume)
    run = ModelRun(
        recipe, pairs, fingerprint=fingerprint, stop=stop or StopSignal(), teacher=teacher
    )
    with sole_run(recipe.out):
        run.start(resume=resume)
        run.train()
    # The folder is put into its place whole.
    run.finish()
    return describe(recipe)


def require_means(recipe: PretrainRecipe) -> Teacher | None:
    """Check that all is installed that a recipe wants, and return its teacher if it has one.

    Raises:
        InputError: something is not.
    """
    require_optimizer(recipe)
    return load_teacher(recipe.teaching.teacher) if recipe.teaching.teacher else None


def describe(recipe: PretrainRecipe) -> PretrainResult:
    """Measure the model in ``recipe.out`` on the test images, in 16 and in 4 bit; write its card.

    Raises:
        InputError: there is no such model, or the data cannot be used.
    """
    pairs = recipe_pairs(recipe)
    scores, parameters = {}, 0
    for quantization in (Quantization.NONE, Quantization.NF4):
        model = load_blip(str(recipe.out), quantization=quantization)
        scores[quantization] = exact_match_of(model, recipe.images, pairs.test)
        if quantization is Quantization.NONE:
            parameters = sum(weights.numel() for weights in model.blip.parameters())
    prior = QuestionPrior.fit(pairs.train)
    guessed = sum(exact_match(prior.answer(pair.question), pair.answer) for pair in pairs.test)
    result = PretrainResult(
        folder=recipe.out,
        parameters=parameters,
        exact_match=scores[Quantization.NONE],
        exact_match_nf4=scores[Quantization.NF4],
        prior_exact_match=guessed / len(pairs.test),
    )
    card = pretrained_card(_facts(recipe, pairs, result))
    with atomic_path(recipe.out / "README.md") as part:
        part.write_text(card, encoding="utf-8")
    return result


def _facts(recipe: PretrainRecipe, pairs: SplitPairs, result: PretrainResult) -> PretrainedFacts:
    return PretrainedFacts(
        name=recipe.out.resolve().name,
        data=recipe.data.name,
        title=recipe.title,
        credit=recipe.credit,
        taught_by=_teachers_credit(recipe.teaching.teacher),
        remarks=recipe.remarks,
        began=f"the weights of {recipe.start_from}" if recipe.start_from else "scratch",
        parameters=result.parameters,
        exact_match=result.exact_match,
        exact_match_nf4=result.exact_match_nf4,
        prior_exact_match=result.prior_exact_match,
        recipe=recipe.model_dump(mode="json", exclude=set(NOT_IN_CARD)),
        train_images=len({pair.filename for pair in pairs.train}),
        train_pairs=len(pairs.train),
        test_images=len({pair.filename for pair in pairs.test}),
        test_pairs=len(pairs.test),
        data_sha256=pairs_digest(pairs.everything),
        versions=installed_versions(("abo-vqa", "torch", "transformers")),
    )


def _teachers_credit(teacher: str) -> str:
    facts = known_teachers().get(teacher)
    return "" if facts is None else f"{facts.credit} ({facts.licence})"


def recipe_pairs(recipe: PretrainRecipe) -> SplitPairs:
    """Read and divide a recipe's data.

    Raises:
        InputError: as ``trainer.data.dataset.load_pairs``.
    """
    columns = checked_columns(recipe.columns, "columns")
    base = known_training(recipe.start_from).images if recipe.start_from else None
    return load_pairs(recipe.data, recipe.images, recipe.split, columns=columns, base=base)


def _require_place(out: Path) -> None:
    require_writable_folder(out, "out")
    if (out / "config.json").is_file():
        raise InputError(
            f"{out}: holds a finished model; give another `out` or remove it, or measure it again "
            "with --describe-only"
        )
    if written_names(out) and whole_folder(out / CHECKPOINT) is None:
        raise InputError(f"{out}: is there and holds no model; give another `out` or remove it")
