"""Answers shards through an address: so many requests at once, whatever shard they are of.

All runs on one event loop, which stands still between two shards. What was
answered is in the journal before anyone hears of it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from evaluator.answering.fleet import Heard, ShardAnswers, heard_by_nobody
from evaluator.answering.messages import (
    BROKEN_IMAGE_ANSWER,
    FAILED_ANSWER,
    AdapterEffect,
    ModelFacts,
    Reply,
)
from evaluator.answering.shards import Shard
from evaluator.endpoints.address.endpoint import Endpoint
from evaluator.endpoints.asking import Asker, Question
from evaluator.endpoints.failing import Failing
from evaluator.endpoints.journal import Asked, Journal, question_key
from evaluator.endpoints.opening import opened_asker, require_models
from evaluator.endpoints.own_loop import OwnLoop
from evaluator.endpoints.pictures import Pictures
from evaluator.endpoints.workers import Result, Workers
from shared.endpoints.request import NO_SCHEMA, Request
from shared.errors import CorruptImage
from shared.images.source import image_source
from shared.program.async_stopping import AsyncStopSignal, stop_on_signals
from shared.program.clock import Clock
from shared.program.reporting.event_log import EventLog
from shared.questions.cleaning import CLEANING
from shared.records import Question as AskedQuestion

log = EventLog(__name__)

_TEMPERATURE: Final = 0.0


class EndpointFleet:
    """Satisfies ``evaluator.answering.fleet.Fleet``; ``journal`` is a file.

    It has to be closed: connections stay open between the calls.
    """

    called = "requests in flight"

    def __init__(self, endpoint: Endpoint, images: str, journal: Path, clock: Clock) -> None:
        self.replicas = endpoint.in_flight
        self._endpoint = endpoint
        self._source = image_source(images)
        self._clock = clock
        self._journal = Journal(journal)
        proven = any(not asked.failure for asked in self._journal.answers.values())
        failing = Failing(endpoint.told, is_proven=proven)
        self._workers = Workers(endpoint.in_flight, failing, self._journal)
        self._stop = AsyncStopSignal()
        self._loop = OwnLoop(self._stop)
        self._open = AsyncExitStack()
        self._asker: Asker | None = None
        self._pictures: Pictures | None = None

    @property
    def ready(self) -> int:
        """Return how many requests are in flight."""
        return 0 if self._asker is None else self._asker.in_flight

    def close(self) -> None:
        """Close the connections."""
        self._loop.run(self._open.aclose())
        self._loop.close()

    def facts(self) -> ModelFacts:
        """Return which model is asked, once it is known that the server has it.

        Raises:
            InputError: nobody is at the address, or the server says that it lacks the model.
        """
        self._loop.run(self._begin())
        return ModelFacts(
            model=self._endpoint.model,
            revision=self._endpoint.modules,
            quantization="",
            adapter_sha256="",
            device=f"{self._endpoint.service.value} endpoint",
            dtype="",
            answer_cleaning=CLEANING,
        )

    def adapter_effect(self, questions: Sequence[AskedQuestion]) -> AdapterEffect:
        """Ask the base as well; count what differs."""
        endpoint = self._endpoint
        both = [
            (name, question)
            for question in questions
            for name in (endpoint.module_for(question.domain), endpoint.model)
        ]
        answers = self._loop.run(self._answers_to(both))
        said = [answers[question_key(name, q.filename, q.text)] for name, q in both]
        pairs = [
            (one.answer, other.answer)
            for one, other in zip(said[::2], said[1::2], strict=True)
            if one is not None and other is not None and not one.failure and not other.failure
        ]
        return AdapterEffect(len(pairs), sum(one != other for one, other in pairs))

    def answer(self, questions: Sequence[AskedQuestion]) -> list[Reply]:
        """Answer questions, in any order.

        Raises:
            StoppedForNow, InputError, AboVqaError: as for ``answered_shards``.
        """
        [answers] = self.answered_shards([Shard(0, tuple(questions))])
        return list(answers.replies or ())

    def answered_shards(
        self, shards: Sequence[Shard], heard: Heard = heard_by_nobody
    ) -> Iterator[ShardAnswers]:
        """Yield each shard once all its questions are answered.

        Raises:
            StoppedForNow: a signal asked for it; what was in flight is answered and kept.
            InputError, AboVqaError: the address is of no use; see ``Asker.ask``.
        """
        work = _Work(shards, self._endpoint)
        results = self._results(work.questions)
        while (shard := self._loop.run(self._next_shard(work, results, heard))) is not None:
            yield ShardAnswers(shard, [self._reply(work, q) for q in shard.questions])

    async def _next_shard(
        self, work: _Work, results: AsyncIterator[Result], heard: Heard
    ) -> Shard | None:
        with stop_on_signals(self._stop, "evaluator"):
            while not work.finished:
                try:
                    key, asked = await anext(results)
                except StopAsyncIteration:
                    return None
                heard(work.settle(key, asked))
        return work.finished.popleft()

    def _reply(self, work: _Work, question: AskedQuestion) -> Reply:
        asked = work.answers[work.key(self._endpoint, question)]
        if asked is None:
            return Reply(question.id, BROKEN_IMAGE_ANSWER, None, None, broken_image=True)
        return Reply(
            question.id,
            FAILED_ANSWER if asked.failure else asked.answer,
            asked.confidence,
            None,
            broken_image=False,
            failure=asked.failure,
        )

    async def _begin(self) -> Asker:
        if self._asker is None:
            self._asker = await self._open.enter_async_context(
                opened_asker(
                    self._endpoint, self._journal.answers.values(), self._clock, self._stop
                )
            )
            self._pictures = Pictures(
                self._source, self._endpoint.longest_px, kept=2 * self._endpoint.in_flight + 2
            )
            await require_models(self._asker, self._endpoint)
        return self._asker

    async def _answers_to(
        self, asked: Iterable[tuple[str, AskedQuestion]]
    ) -> dict[str, Asked | None]:
        with stop_on_signals(self._stop, "evaluator"):
            return {key: answer async for key, answer in self._results(asked)}

    async def _results(self, asked: Iterable[tuple[str, AskedQuestion]]) -> AsyncIterator[Result]:
        """Yield each question's key with what came of it, ``None`` for a broken picture.

        Those that are in the journal come first; each is asked once, however many rows it stands
        in.
        """
        distinct = {question_key(m, q.filename, q.text, q.view): (m, q) for m, q in asked}
        for key in [key for key in distinct if key in self._journal.answers]:
            del distinct[key]
            yield key, self._journal.answers[key]
        if not distinct:
            return
        asker = await self._begin()
        async for result in self._workers.results(asker, distinct, self._asks):
            yield result

    async def _asks(self, key: str, asked: tuple[str, AskedQuestion]) -> Question | None:
        """Return what is asked of a model; ``None`` where the picture is broken."""
        assert self._pictures is not None
        assert self._asker is not None
        model, question = asked
        try:
            photo = await self._pictures.photo(question.filename, question.view)
        except CorruptImage:
            return None
        request = Request(
            "",
            photo.jpeg,
            self._endpoint.instruction.around(question.text),
            photo.longest_px,
            NO_SCHEMA,
            temperature=_TEMPERATURE if self._asker.models[model].takes_temperature else None,
            most_output_tokens=self._endpoint.most_output_tokens,
        )
        return Question(key, model, request)


class _Work:
    """Shards, and what is missing of each."""

    def __init__(self, shards: Sequence[Shard], endpoint: Endpoint) -> None:
        self.questions = [
            (endpoint.module_for(question.domain), question)
            for shard in shards
            for question in shard.questions
        ]
        self.answers: dict[str, Asked | None] = {}
        self.finished: deque[Shard] = deque()
        self._shards = {shard.index: shard for shard in shards}
        self._missing: dict[int, set[str]] = {}
        self._rows: dict[str, list[int]] = {}
        for shard in shards:
            for question in shard.questions:
                key = self.key(endpoint, question)
                self._missing.setdefault(shard.index, set()).add(key)
                self._rows.setdefault(key, []).append(shard.index)

    @staticmethod
    def key(endpoint: Endpoint, question: AskedQuestion) -> str:
        """Return the key of a question as it is asked."""
        model = endpoint.module_for(question.domain)
        return question_key(model, question.filename, question.text, question.view)

    def settle(self, key: str, asked: Asked | None) -> int:
        """Take an answer; return how many rows have it."""
        self.answers[key] = asked
        rows = self._rows[key]
        for index in dict.fromkeys(rows):
            self._missing[index].discard(key)
            if not self._missing[index]:
                self.finished.append(self._shards[index])
        return len(rows)
