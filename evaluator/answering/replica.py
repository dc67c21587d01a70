"""One loaded model that answers shards; ``fleet`` wraps it into a Ray actor, ``predict`` does not.

Images are decoded and resized by threads ahead of the model, each once, and encoded once for all
their questions. Where memory runs out, of a GPU or of the machine, the batch is halved for good.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evaluator.answering.attention import pack_attention
from evaluator.answering.batches import QUESTIONS_PER_IMAGE, Batch, batches
from evaluator.answering.bundle import BundleAnswerer
from evaluator.answering.messages import BROKEN_IMAGE_ANSWER, AdapterEffect, ModelFacts, Reply
from evaluator.answering.model import loaded_model, model_facts
from evaluator.answering.replica_settings import ReplicaSettings
from evaluator.metrics.meaning.vtgs import jaccard
from evaluator.robustness.pictures import seen
from shared.errors import CorruptImage
from shared.images.decoding import large_pictures_in_turn
from shared.images.source import ImageSource, image_source
from shared.records import Question
from shared.vqa.adapting.adapter_start import base_is_whole
from shared.vqa.answerer import Answer, Answerer
from shared.vqa.blip.grounding import grounding_regions
from shared.vqa.memory import OUT_OF_MEMORY, halved


@dataclass(frozen=True, slots=True)
class _GroundedAnswer:
    """An answer with VTGS's visual term and where the model looked, if that was asked for."""

    answer: Answer
    grounding: float | None = None
    attention: bytes = b""


class Replica:
    """Holds one model and answers questions with it.

    ``images`` gives the images where they do not lie at ``settings.images``; ``answerer`` is the
    model where it is loaded already.
    """

    def __init__(
        self,
        settings: ReplicaSettings,
        images: ImageSource | None = None,
        answerer: Answerer[Any, Any] | None = None,
    ) -> None:
        self._answerer = answerer or loaded_model(settings)
        self._images = images or image_source(settings.images)
        self._batch_size = settings.batch_size
        self._images_at_once = max(1, settings.batch_size // QUESTIONS_PER_IMAGE)
        self._measure_grounding = settings.measure_grounding
        self._adapters = [name for name, _ in settings.adapters]

    def facts(self) -> ModelFacts:
        """Return which model this is."""
        if isinstance(self._answerer, BundleAnswerer):
            return self._answerer.facts()
        return model_facts(self._answerer)

    def answer(self, questions: Sequence[Question]) -> list[Reply]:
        """Answer questions, in any order; questions of one image should stand together.

        A broken image gets ``BROKEN_IMAGE_ANSWER`` and is marked, never skipped.
        """
        replies: list[Reply] = []
        for part in self._by_adapter(questions):
            for batch in self._batches(part):
                replies.extend(self._replies(batch, self._answers(batch)))
        return replies

    def _by_adapter(self, questions: Sequence[Question]) -> Iterator[Sequence[Question]]:
        """Yield the questions of each adapter, after making it the active one."""
        if not self._adapters:
            yield questions
            return
        assert not isinstance(self._answerer, BundleAnswerer)
        peft = self._answerer.model.peft
        assert peft is not None
        for name in self._adapters:
            own = [question for question in questions if question.domain == name]
            if own:
                peft.set_adapter(name)
                # It marks the adapter as one to train.
                peft.requires_grad_(requires_grad=False)
                yield own

    def adapter_effect(self, questions: Sequence[Question]) -> AdapterEffect:
        """Answer questions with the adapter and without it; count what differs."""
        answerer = self._answerer
        peft = None if isinstance(answerer, BundleAnswerer) else answerer.model.peft
        if peft is None or not base_is_whole(peft):
            return AdapterEffect(0, 0)
        with_adapter = {reply.question_id: reply.answer for reply in self.answer(questions)}
        with peft.disable_adapter():
            without = {reply.question_id: reply.answer for reply in self.answer(questions)}
        changed = sum(with_adapter[key] != without[key] for key in with_adapter)
        return AdapterEffect(len(with_adapter), changed)

    def _answers(self, batch: Batch) -> list[_GroundedAnswer]:
        """Answer image by image; as many of them are held at once as fit."""
        done: list[_GroundedAnswer] = []
        first = 0
        while first < len(batch.images):
            part = slice(first, first + self._images_at_once)
            try:
                memory = self._answerer.remember(batch.images[part])
            except OUT_OF_MEMORY as error:
                self._images_at_once = halved(self._images_at_once, "images", error)
                continue
            asked = [
                (image, question.text)
                for image, questions in enumerate(batch.questions[part])
                for question in questions
            ]
            done.extend(self._in_batches_that_fit(memory, asked))
            first += self._images_at_once
        return done

    def _in_batches_that_fit(
        self,
        memory: Any,  # noqa: ANN401 (each family has its own)
        asked: Sequence[tuple[int, str]],
    ) -> list[_GroundedAnswer]:
        done: list[_GroundedAnswer] = []
        while len(done) < len(asked):
            part = asked[len(done) : len(done) + self._batch_size]
            try:
                done.extend(
                    self._answer_batch(memory, [image for image, _ in part], [q for _, q in part])
                )
            except OUT_OF_MEMORY as error:
                self._batch_size = halved(self._batch_size, "questions", error)
        return done

    def _answer_batch(
        self,
        memory: Any,  # noqa: ANN401 (each family has its own)
        image_of: Sequence[int],
        texts: Sequence[str],
    ) -> list[_GroundedAnswer]:
        answers = self._answerer.answer(memory, image_of, texts)
        if not self._measure_grounding or isinstance(self._answerer, BundleAnswerer):
            return [_GroundedAnswer(answer) for answer in answers]
        regions = grounding_regions(
            self._answerer.model, memory, image_of, texts, [answer.text for answer in answers]
        )
        overlap_B = jaccard(
            np.stack([region.answer_region for region in regions]),
            np.stack([region.question_region for region in regions]),
        )
        return [
            _GroundedAnswer(
                answer,
                overlap,
                pack_attention(region.answer_map_P, region.answer_region, region.question_region),
            )
            for answer, overlap, region in zip(answers, overlap_B.tolist(), regions, strict=True)
        ]

    @staticmethod
    def _replies(batch: Batch, answers: Sequence[_GroundedAnswer]) -> list[Reply]:
        asked = [question for questions in batch.questions for question in questions]
        replies = [
            Reply(
                question.id,
                grounded.answer.text,
                grounded.answer.confidence,
                grounded.grounding,
                broken_image=False,
                attention=grounded.attention,
            )
            for question, grounded in zip(asked, answers, strict=True)
        ]
        broken = [
            Reply(question.id, BROKEN_IMAGE_ANSWER, None, None, broken_image=True)
            for question in batch.broken
        ]
        return replies + broken

    def _batches(self, questions: Sequence[Question]) -> Iterator[Batch]:
        return batches(
            questions,
            self._prepared,
            threads=self._images.reads_at_once,
            batch_size=self._batch_size,
            images_at_once=self._images_at_once,
        )

    def _prepared(self, filename: str, view: str) -> Any | None:  # noqa: ANN401 (each family has its own)
        try:
            with large_pictures_in_turn():
                return self._answerer.prepare(seen(self._images.read(filename), view))
        except CorruptImage:
            return None
