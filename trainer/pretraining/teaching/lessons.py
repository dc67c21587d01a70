"""What each step of a taught run learns from: three stages, one after the other.

The advisor learns to choose answers by what the teacher sees; the model's tower to see the same,
and so that the same answers would be chosen by it; and at last all of the model to answer by
itself, advised.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch.nn.functional import cross_entropy, mse_loss

from shared.records import QAPair
from shared.vqa.blip.forward import (
    answer_logits,
    answer_token_count,
    encode_images,
    encode_questions_of_images,
)
from shared.vqa.blip.text import IGNORED_LABEL, AnswerBatch, TokenBatch
from trainer.data.gallery import crops, cut_out
from trainer.pretraining.lessons import Draw, PictureLessons, half_precision
from trainer.pretraining.recipe import PretrainRecipe
from trainer.pretraining.teaching.advice import Answers, advised_loss_sum, further_questions
from trainer.pretraining.teaching.maps import Seen, TeacherMaps
from trainer.pretraining.teaching.pupil import Pupil
from trainer.pretraining.teaching.stages import Stage, first_epoch, stage_at
from trainer.training.loop import MicroBatch

OWN_ANSWER: Final = 0.3
"""Weight of the answers that somebody gave beside the advisor's, each a mean over its questions."""
_FLAT: Final = 1e-6


@dataclass(frozen=True)
class Asked:
    """Questions about some pictures, of which the first ones have answers that somebody gave.

    ``texts`` are these answers, ``labels_B`` the numbers of all, ``IGNORED_LABEL`` without any.
    """

    questions: TokenBatch
    image_of_B: torch.Tensor
    texts: Sequence[str]
    labels_B: torch.Tensor


@dataclass(frozen=True)
class Advised:
    """Pictures with what the teacher sees of them, and questions with what the advisor says.

    ``chances_BA`` are those of each answer, ``read_BD`` is how the advisor read the questions.
    """

    pixels_NCHW: torch.Tensor
    seen: Seen
    asked: Asked
    read_BD: torch.Tensor
    chances_BA: torch.Tensor

    def told_amiss(
        self, pupil: Pupil, features_NLD: torch.Tensor, whole_weight: float
    ) -> torch.Tensor:
        """Return how far off the pupil's tower is, in what it tells and in what would be chosen."""
        told = pupil.telling(features_NLD)
        scores_BA = pupil.follower(
            self.read_BD, told.tokens_NLK, told.whole_NK, self.asked.image_of_B
        ).float()
        advice = -(self.chances_BA * scores_BA.log_softmax(-1)).sum(-1).mean()
        labels_B = self.asked.labels_B
        own = cross_entropy(scores_BA, labels_B, ignore_index=IGNORED_LABEL, reduction="sum")
        own = own / max(1, int((labels_B != IGNORED_LABEL).sum()))
        spread = self.seen.tokens_NLK.var().clamp(min=_FLAT)
        tokens = mse_loss(told.tokens_NLK, self.seen.tokens_NLK) / spread
        whole = mse_loss(told.whole_NK, self.seen.whole_NK)
        chosen: torch.Tensor = (1 - OWN_ANSWER) * advice + OWN_ANSWER * own
        return tokens + whole_weight * whole + chosen


@dataclass(frozen=True)
class Choice:
    """A step of the advisor's."""

    pupil: Pupil
    seen: Seen
    asked: Asked
    recipe: PretrainRecipe

    @property
    def loss_terms(self) -> int:
        """Questions whose answer can be chosen."""
        return max(1, int((self.asked.labels_B != IGNORED_LABEL).sum()))

    def loss_sum(self) -> torch.Tensor:
        """Return the cross-entropy of the answers (a scalar), in nats."""
        with half_precision(self.pupil.model, self.recipe):
            scores_BA = self.pupil.advisor(
                self.pupil.reader(self.asked.questions),
                self.seen.tokens_NLK,
                self.seen.whole_NK,
                self.asked.image_of_B,
            )
        return cross_entropy(
            scores_BA.float(),
            self.asked.labels_B,
            ignore_index=IGNORED_LABEL,
            label_smoothing=self.recipe.label_smoothing,
            reduction="sum",
        )


@dataclass(frozen=True)
class Seeing:
    """A step of the model's tower, which is to see what the teacher sees."""

    pupil: Pupil
    advised: Advised
    recipe: PretrainRecipe

    @property
    def loss_terms(self) -> int:
        """Pictures."""
        return len(self.advised.pixels_NCHW)

    def loss_sum(self) -> torch.Tensor:
        """Return what it sees amiss, times pictures (a scalar)."""
        with half_precision(self.pupil.model, self.recipe):
            features_NLD = encode_images(self.pupil.model, self.advised.pixels_NCHW)
            amiss = self.advised.told_amiss(
                self.pupil, features_NLD, self.recipe.teaching.whole_weight
            )
        return amiss * self.loss_terms


@dataclass(frozen=True)
class Answering:
    """A step of the whole model, advised, with its tower kept on what the teacher sees."""

    pupil: Pupil
    advised: Advised
    answers: AnswerBatch
    first_BV: torch.Tensor
    share_B: torch.Tensor
    recipe: PretrainRecipe

    @property
    def loss_terms(self) -> int:
        """Answer tokens, with the end."""
        return answer_token_count(self.answers)

    def loss_sum(self) -> torch.Tensor:
        """Return the cross-entropy of all answer tokens with what is seen amiss."""
        model, advised = self.pupil.model, self.advised
        asked, teaching = advised.asked, self.recipe.teaching
        with half_precision(self.pupil.model, self.recipe):
            seen_NLD = encode_images(model, advised.pixels_NCHW)
            amiss = advised.told_amiss(self.pupil, seen_NLD, teaching.whole_weight)
            states_BTD = encode_questions_of_images(
                model, asked.questions, seen_NLD, asked.image_of_B
            )
            logits_BTV = answer_logits(model, states_BTD, asked.questions, self.answers.inputs)
        answered = advised_loss_sum(
            logits_BTV, self.answers, self.first_BV, self.share_B, self.recipe.label_smoothing
        )
        return answered + teaching.seeing_weight * amiss * self.loss_terms


@dataclass(frozen=True)
class TaughtLessons:
    """The stages' steps; advice is that of ``taught``, the average of ``pupil``."""

    pictures: PictureLessons
    pupil: Pupil
    taught: Pupil
    maps: TeacherMaps
    neighbours_NX: torch.Tensor
    answers: Answers

    @property
    def steps_per_epoch(self) -> int:
        """As without a teacher."""
        return self.pictures.steps_per_epoch

    def micro_batches(self, step: int) -> Sequence[MicroBatch]:
        """Return the one batch of a step, counted from 0 over all stages."""
        draw = self.pictures.draw(step)
        match stage_at(self._recipe, step // self.steps_per_epoch):
            case Stage.ADVISING:
                return [self._choice(draw)]
            case Stage.SEEING:
                return [Seeing(self.pupil, self._advised(draw), self._recipe)]
            case Stage.ANSWERING:
                return [self._answering(draw)]

    def after(self, steps: int) -> None:
        """Prepare what comes after so many steps: the follower begins as the advisor is."""
        if steps == first_epoch(self._recipe, Stage.SEEING) * self.steps_per_epoch:
            for each in (self.pupil, self.taught):
                each.follow(self.taught)

    @property
    def _recipe(self) -> PretrainRecipe:
        return self.pictures.recipe

    def _choice(self, draw: Draw) -> Choice:
        own = self.pictures.asked(draw, self._recipe.questions_per_image)
        asked = self._asked(own, [])
        seen = self._seen(draw, None)
        return Choice(self.pupil, seen, asked, self._recipe)

    @torch.no_grad()
    def _advised(self, draw: Draw) -> Advised:
        recipe = self._recipe
        theta_N23 = crops(len(draw.images_N), draw.random, recipe.mirrored, recipe.teaching.closest)
        seen = self._seen(draw, theta_N23)
        own = self.pictures.asked(draw, recipe.questions_per_image)
        asked = self._asked(own, self._further(draw))
        with half_precision(self.pupil.model, recipe):
            read_BD = self.taught.reader(asked.questions)
            scores_BA = self.taught.advisor(
                read_BD, seen.tokens_NLK, seen.whole_NK, asked.image_of_B
            )
        side = recipe.shape.image_size
        cut_NCHW = cut_out(self.pictures.pictures(draw), theta_N23, (side, side))
        pixels_NCHW = self.pictures.normalised(cut_NCHW)
        return Advised(pixels_NCHW, seen, asked, read_BD, scores_BA.float().softmax(-1))

    def _answering(self, draw: Draw) -> Answering:
        advised = self._advised(draw)
        given = advised.asked.texts
        chosen = [self.answers.texts[number] for number in advised.chances_BA.argmax(1).tolist()]
        texts = [*given, *chosen[len(given) :]]
        vocabulary = len(self.pictures.processor.tokenizer)
        advice_B = torch.full_like(advised.chances_BA[:, 0], self._recipe.teaching.advice)
        advice_B[: len(given)][advised.asked.labels_B[: len(given)] == IGNORED_LABEL] = 0.0
        advice_B[len(given) :] = 1.0
        return Answering(
            pupil=self.pupil,
            advised=advised,
            answers=self.pictures.said(texts),
            first_BV=self.answers.first_pieces(advised.chances_BA, vocabulary),
            share_B=advice_B,
            recipe=self._recipe,
        )

    def _seen(self, draw: Draw, theta_N23: torch.Tensor | None) -> Seen:
        device = self.pupil.model.device
        seen: Seen = self.taught.sight(*self.maps.cut(draw.images_N, theta_N23, device))
        return seen

    def _further(self, draw: Draw) -> list[tuple[int, str]]:
        """Draw questions of pictures that look alike, for each picture."""
        questions = self.pictures.gallery.questions
        return [
            (position, question)
            for position, image in enumerate(draw.images_N.tolist())
            for question in further_questions(
                questions,
                self.neighbours_NX[image].tolist(),
                questions[image],
                self._recipe.teaching.further_questions,
                draw.random,
            )
        ]

    def _asked(
        self, own: Sequence[tuple[int, QAPair]], further: Sequence[tuple[int, str]]
    ) -> Asked:
        """Return own questions with their answers, and after them further ones without."""
        answers = [pair.answer for _, pair in own]
        labels = [*self.answers.numbers(answers), *[IGNORED_LABEL] * len(further)]
        questions = [pair.question for _, pair in own] + [question for _, question in further]
        return Asked(
            questions=self.pictures.heard(questions),
            image_of_B=self.pictures.numbers([position for position, _ in [*own, *further]]),
            texts=answers,
            labels_B=self.pictures.numbers(labels),
        )
