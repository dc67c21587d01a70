"""One loaded model that answers shards; ``fleet`` wraps it into a Ray actor, ``predict`` does not.

Images are decoded and resized by threads ahead of the model, each once, and encoded once for all
their questions. When memory runs out on a GPU the batch is halved for good.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch

from evaluator.attention import pack_attention
from evaluator.replies import AdapterEffect, ModelFacts, Reply
from evaluator.vtgs import jaccard
from shared.errors import CorruptImage
from shared.records import Question
from shared.vqa.answerer import Answer
from shared.vqa.blip.grounding import grounding_regions
from shared.vqa.blip.inference import ImageMemory, answer_questions, remember_pixels
from shared.vqa.image_source import ImageSource, image_source
from shared.vqa.loading import (
    LoadedModel,
    Quantization,
    load_model,
    require_adapter,
    resolve_model,
)
from shared.vqa.preprocessing import pixel_values
from shared.vqa.stores import is_url

BROKEN_IMAGE_ANSWER: Final = "[unreadable image]"
DECODING_THREADS: Final = 2


@dataclass(frozen=True, slots=True)
class ReplicaSettings:
    """What a replica loads and how it answers; paths as the replica's machine sees them.

    ``batch_size`` counts questions. ``measure_grounding`` asks for VTGS's visual term too, which
    takes a backward pass through the text towers.
    """

    model: str
    adapter: str
    quantization: Quantization
    images: str
    batch_size: int
    measure_grounding: bool


@dataclass(frozen=True, slots=True)
class _Batch:
    """Readable images, and questions with the index of their image; questions of broken ones."""

    pixels: tuple[torch.Tensor, ...]
    image_of: tuple[int, ...]
    questions: tuple[Question, ...]
    broken: tuple[Question, ...]


@dataclass(frozen=True, slots=True)
class _Said:
    """An answer with VTGS's visual term and where the model looked, if that was asked for."""

    answer: Answer
    grounding: float | None = None
    attention: bytes = b""


class Replica:
    """Holds one model and answers questions with it.

    ``images`` gives the images where they do not lie at ``settings.images``.
    """

    def __init__(self, settings: ReplicaSettings, images: ImageSource | None = None) -> None:
        self._model = load_model(
            settings.model,
            adapter=Path(settings.adapter) if settings.adapter else None,
            quantization=settings.quantization,
        )
        self._images = images or image_source(settings.images)
        self._batch_size = settings.batch_size
        self._measure_grounding = settings.measure_grounding

    def facts(self) -> ModelFacts:
        """Return which model this is."""
        return model_facts(self._model)

    def answer(self, questions: Sequence[Question]) -> list[Reply]:
        """Answer questions, in any order; questions of one image should stand together.

        A broken image gets ``BROKEN_IMAGE_ANSWER`` and is marked, never skipped.
        """
        replies: list[Reply] = []
        for batch in self._batches(questions):
            replies.extend(self._replies(batch, self._answered(batch)))
        return replies

    def adapter_effect(self, questions: Sequence[Question]) -> AdapterEffect:
        """Answer questions with the adapter and without it; count what differs."""
        if self._model.peft is None:
            return AdapterEffect(0, 0)
        with_adapter = {reply.question_id: reply.answer for reply in self.answer(questions)}
        with self._model.peft.disable_adapter():
            without = {reply.question_id: reply.answer for reply in self.answer(questions)}
        changed = sum(with_adapter[key] != without[key] for key in with_adapter)
        return AdapterEffect(len(with_adapter), changed)

    def _answered(self, batch: _Batch) -> list[_Said]:
        if not batch.questions:
            return []
        texts = [question.text for question in batch.questions]
        memory = remember_pixels(self._model, torch.cat(batch.pixels))
        return self._in_batches_that_fit(memory, batch.image_of, texts)

    def _in_batches_that_fit(
        self, memory: ImageMemory, image_of: Sequence[int], texts: Sequence[str]
    ) -> list[_Said]:
        done: list[_Said] = []
        while len(done) < len(texts):
            part = slice(len(done), len(done) + self._batch_size)
            try:
                done.extend(self._answer_batch(memory, image_of[part], texts[part]))
            except torch.OutOfMemoryError:
                if self._batch_size == 1:
                    raise
                self._batch_size //= 2
                torch.cuda.empty_cache()
        return done

    def _answer_batch(
        self, memory: ImageMemory, image_of: Sequence[int], texts: Sequence[str]
    ) -> list[_Said]:
        answers = answer_questions(self._model, memory, image_of, texts)
        if not self._measure_grounding:
            return [_Said(answer) for answer in answers]
        regions = grounding_regions(
            self._model, memory, image_of, texts, [answer.text for answer in answers]
        )
        overlap_B = jaccard(
            np.stack([region.answer_region for region in regions]),
            np.stack([region.question_region for region in regions]),
        )
        return [
            _Said(
                answer,
                overlap,
                pack_attention(one.answer_map_P, one.answer_region, one.question_region),
            )
            for answer, overlap, one in zip(answers, overlap_B.tolist(), regions, strict=True)
        ]

    @staticmethod
    def _replies(batch: _Batch, answered: Sequence[_Said]) -> list[Reply]:
        replies = [
            Reply(
                question.id,
                said.answer.text,
                said.answer.confidence,
                said.grounding,
                broken_image=False,
                attention=said.attention,
            )
            for question, said in zip(batch.questions, answered, strict=True)
        ]
        broken = [
            Reply(question.id, BROKEN_IMAGE_ANSWER, None, None, broken_image=True)
            for question in batch.broken
        ]
        return replies + broken

    def _batches(self, questions: Sequence[Question]) -> Iterator[_Batch]:
        by_image: dict[str, list[Question]] = {}
        for question in questions:
            by_image.setdefault(question.filename, []).append(question)
        groups = list(_grouped(list(by_image.items()), self._batch_size))
        with ThreadPoolExecutor(DECODING_THREADS) as pool:
            # One batch ahead of the model: memory stays bounded whatever the shard's size.
            ahead = [pool.map(self._pixels, [name for name, _ in group]) for group in groups[:1]]
            for position, group in enumerate(groups):
                if position + 1 < len(groups):
                    names = [name for name, _ in groups[position + 1]]
                    ahead.append(pool.map(self._pixels, names))
                yield _batch(group, list(ahead.pop(0)))

    def _pixels(self, filename: str) -> torch.Tensor | None:
        try:
            return pixel_values(self._model.image_processor, [self._images.read(filename)])
        except CorruptImage:
            return None


def replica_settings(
    model: str,
    adapter: Path | None,
    quantization: str,
    images: Path | str,
    *,
    batch_size: int,
    measure_grounding: bool = False,
) -> ReplicaSettings:
    """Return settings with absolute paths, so that actors elsewhere on the machine find them.

    ``images`` is a folder or a URL, see ``shared.vqa.image_source``.

    Raises:
        InputError: no such images folder, model or adapter.
    """
    image_source(str(images))
    if adapter is not None:
        require_adapter(adapter)
    source = resolve_model(model)
    return ReplicaSettings(
        model=str(Path(model).resolve()) if Path(source).is_dir() and model == source else model,
        adapter="" if adapter is None else str(adapter.resolve()),
        quantization=Quantization(quantization),
        images=str(images) if is_url(str(images)) else str(Path(images).resolve()),
        batch_size=batch_size,
        measure_grounding=measure_grounding,
    )


def model_facts(model: LoadedModel) -> ModelFacts:
    """Return which model was loaded, for provenance."""
    return ModelFacts(
        model=model.name,
        revision=model.revision,
        quantization=model.quantization.value,
        adapter_sha256=model.adapter_sha256,
        device=model.device.type,
        dtype=str(model.blip.dtype).removeprefix("torch."),
    )


ImageGroup = list[tuple[str, list[Question]]]


def _grouped(images: ImageGroup, batch_size: int) -> Iterator[ImageGroup]:
    group: ImageGroup = []
    size = 0
    for name, questions in images:
        if group and size + len(questions) > batch_size:
            yield group
            group, size = [], 0
        group.append((name, questions))
        size += len(questions)
    if group:
        yield group


def _batch(group: ImageGroup, pixels: Sequence[torch.Tensor | None]) -> _Batch:
    readable: list[torch.Tensor] = []
    image_of: list[int] = []
    asked: list[Question] = []
    broken: list[Question] = []
    for (_, questions), pixel in zip(group, pixels, strict=True):
        if pixel is None:
            broken.extend(questions)
            continue
        image_of.extend([len(readable)] * len(questions))
        asked.extend(questions)
        readable.append(pixel)
    return _Batch(tuple(readable), tuple(image_of), tuple(asked), tuple(broken))
