"""One loaded model that answers shards; ``fleet`` wraps it into a Ray actor, ``predict`` does not.

Images are decoded and resized by threads ahead of the model, each once, and encoded once for all
their questions. Where memory runs out, of a GPU or of the machine, the batch is halved for good.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from evaluator.answering.attention import pack_attention
from evaluator.answering.bundle import BundleAnswerer
from evaluator.answering.messages import AdapterEffect, ModelFacts, Reply
from evaluator.metrics.meaning.vtgs import jaccard
from shared.errors import CorruptImage, InputError
from shared.images.source import ImageSource, image_source
from shared.images.stores import is_url
from shared.onnx_vqa import is_bundle
from shared.questions.folding import AS_IT_COMES, QuestionFolding
from shared.records import Question
from shared.records.grouping import by_image
from shared.vqa.adapting.adapter_start import base_is_whole
from shared.vqa.adapting.adapters import require_applicable
from shared.vqa.answerer import Answer, Answerer
from shared.vqa.blip.grounding import grounding_regions
from shared.vqa.families import load_answerer, require_instruction
from shared.vqa.instruction import NO_INSTRUCTION, Instruction
from shared.vqa.loaded import Quantization
from shared.vqa.memory import OUT_OF_MEMORY, halved
from shared.vqa.names.model_names import resolve_model
from shared.vqa.question_length import limit_of_adapters

BROKEN_IMAGE_ANSWER: Final = "[unreadable image]"
QUESTIONS_PER_IMAGE: Final = 4
"""How many questions of a batch pay for one image in it: what is kept of an image is much larger
than what a question needs, so that a batch of 64 questions holds 16 images at most."""


@dataclass(frozen=True, slots=True)
class ReplicaSettings:
    """What a replica loads and how it answers; paths as the replica's machine sees them.

    ``batch_size`` counts questions. ``measure_grounding`` asks for VTGS's visual term too, which
    takes a backward pass through the text towers. ``adapters`` holds names and folders; each
    answers the questions of the domain of its name. Where there are some, ``adapter`` is empty.
    """

    model: str
    adapter: str
    quantization: Quantization
    images: str
    batch_size: int
    measure_grounding: bool
    adapters: tuple[tuple[str, str], ...] = ()
    instruction: Instruction = NO_INSTRUCTION


@dataclass(frozen=True, slots=True)
class _Batch:
    """Readable images, each with its questions; and the questions of broken ones.

    What an image is prepared to is its family's own affair.
    """

    images: tuple[Any, ...]
    questions: tuple[tuple[Question, ...], ...]
    broken: tuple[Question, ...]


@dataclass(frozen=True, slots=True)
class _Said:
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
        self._answerer = answerer or _loaded(settings)
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
                replies.extend(self._replies(batch, self._answered(batch)))
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

    def _answered(self, batch: _Batch) -> list[_Said]:
        """Answer image by image; as many of them are held at once as fit."""
        done: list[_Said] = []
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
    ) -> list[_Said]:
        done: list[_Said] = []
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
    ) -> list[_Said]:
        answers = self._answerer.answer(memory, image_of, texts)
        if not self._measure_grounding or isinstance(self._answerer, BundleAnswerer):
            return [_Said(answer) for answer in answers]
        regions = grounding_regions(
            self._answerer.model, memory, image_of, texts, [answer.text for answer in answers]
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
        asked = [question for questions in batch.questions for question in questions]
        replies = [
            Reply(
                question.id,
                said.answer.text,
                said.answer.confidence,
                said.grounding,
                broken_image=False,
                attention=said.attention,
            )
            for question, said in zip(asked, answered, strict=True)
        ]
        broken = [
            Reply(question.id, BROKEN_IMAGE_ANSWER, None, None, broken_image=True)
            for question in batch.broken
        ]
        return replies + broken

    def _batches(self, questions: Sequence[Question]) -> Iterator[_Batch]:
        groups = list(_grouped(by_image(questions), self._batch_size, self._images_at_once))
        with ThreadPoolExecutor(self._images.reads_at_once) as pool:
            # One batch ahead of the model: memory stays bounded whatever the shard's size.
            ahead = [pool.map(self._prepared, [name for name, _ in group]) for group in groups[:1]]
            for position, group in enumerate(groups):
                if position + 1 < len(groups):
                    names = [name for name, _ in groups[position + 1]]
                    ahead.append(pool.map(self._prepared, names))
                yield _batch(group, list(ahead.pop(0)))

    def _prepared(self, filename: str) -> Any | None:  # noqa: ANN401 (each family has its own)
        try:
            return self._answerer.prepare(self._images.read(filename))
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
    adapters: Mapping[str, Path] | None = None,
    instruction: Instruction = NO_INSTRUCTION,
) -> ReplicaSettings:
    """Return settings with absolute paths, so that actors elsewhere on the machine find them.

    ``images`` is a folder or a URL, see ``shared.images.source``.

    Raises:
        InputError: no such images folder, model or adapter, or they do not go together.
    """
    image_source(str(images))
    named = adapters or {}
    asked = [*named.values(), *([] if adapter is None else [adapter])]
    for folder in asked:
        require_applicable(folder, four_bit=Quantization(quantization) is Quantization.NF4)
    if is_bundle(model) and asked:
        raise InputError(f"{model}: an exported model takes no --adapter; export it merged in")
    if not is_bundle(model):
        require_instruction(model, instruction)
    elif instruction != NO_INSTRUCTION:
        raise InputError(f"{model}: an exported model takes no --prompt and no --max-new-tokens")
    limit_of_adapters(asked)
    source = model if is_bundle(model) else resolve_model(model)
    return ReplicaSettings(
        model=str(Path(model).resolve()) if Path(source).is_dir() and model == source else model,
        adapter="" if adapter is None else str(adapter.resolve()),
        quantization=Quantization(quantization),
        images=str(images) if is_url(str(images)) else str(Path(images).resolve()),
        batch_size=batch_size,
        measure_grounding=measure_grounding,
        adapters=tuple((name, str(folder.resolve())) for name, folder in named.items()),
        instruction=instruction,
    )


def _loaded(settings: ReplicaSettings) -> Answerer[Any, Any] | BundleAnswerer:
    if is_bundle(settings.model):
        return BundleAnswerer(settings.model)
    return load_answerer(
        settings.model,
        adapter=Path(settings.adapter) if settings.adapter else None,
        adapters={name: Path(folder) for name, folder in settings.adapters},
        quantization=settings.quantization,
        instruction=settings.instruction,
    )


def model_facts(answerer: Answerer[Any, Any]) -> ModelFacts:
    """Return which model was loaded and how it answers, for provenance."""
    model = answerer.model
    return ModelFacts(
        model=model.name,
        revision=model.revision,
        quantization=model.quantization.value,
        adapter_sha256=model.adapter_sha256,
        device=model.device.type,
        dtype=str(model.network.dtype).removeprefix("torch."),
        architecture=type(model.network).__name__,
        computed_once=answerer.computed_once or "nothing: the model's own generate",
        question_folding=foldings_text(model.foldings),
    )


def foldings_text(foldings: Mapping[str, QuestionFolding]) -> str:
    """Return how questions are folded; by adapter where they differ."""
    if len(set(foldings.values())) <= 1:
        return str(next(iter(foldings.values()), AS_IT_COMES))
    return ", ".join(f"{name}: {folding}" for name, folding in foldings.items())


ImageGroup = list[tuple[str, list[Question]]]


def _grouped(
    of_images: Mapping[str, list[Question]], batch_size: int, images_at_once: int
) -> Iterator[ImageGroup]:
    """Cut images into batches by both costs: their questions, and what is kept of each image."""
    group: ImageGroup = []
    size = 0
    for name, questions in of_images.items():
        full = size + len(questions) > batch_size or len(group) == images_at_once
        if group and full:
            yield group
            group, size = [], 0
        group.append((name, questions))
        size += len(questions)
    if group:
        yield group


def _batch(group: ImageGroup, prepared: Sequence[Any | None]) -> _Batch:
    readable = [
        (image, tuple(questions))
        for (_, questions), image in zip(group, prepared, strict=True)
        if image is not None
    ]
    broken = [
        question
        for (_, questions), image in zip(group, prepared, strict=True)
        if image is None
        for question in questions
    ]
    return _Batch(
        tuple(image for image, _ in readable),
        tuple(questions for _, questions in readable),
        tuple(broken),
    )
