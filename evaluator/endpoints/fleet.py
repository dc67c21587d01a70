"""Answers shards through an address: so many requests at once, whatever shard they are of.

All runs on one event loop in the caller's thread, which stands still between two shards. What was
answered is in the journal before anyone hears of it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
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
from evaluator.endpoints.asking import Asker, Question, Settled
from evaluator.endpoints.endpoint import Endpoint
from evaluator.endpoints.failing import Failing
from evaluator.endpoints.journal import Asked, Journal, question_key
from evaluator.endpoints.opening import opened_asker, require_models
from evaluator.endpoints.pictures import Pictures
from shared.endpoints.request import NO_SCHEMA, Request
from shared.errors import CorruptImage, StoppedForNow
from shared.images.source import image_source
from shared.program.async_stopping import AsyncStopSignal, StopRequested, stop_on_signals
from shared.program.clock import Clock
from shared.program.reporting.event_log import EventLog
from shared.records import Question as AskedQuestion
from shared.vqa.inputs.cleaning import CLEANING

log = EventLog(__name__)

_TEMPERATURE: Final = 0.0
_Result = tuple[str, Asked | None]
"""A question's key and what came of it; ``None`` where its picture is broken."""


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
        self._failing = Failing(endpoint.address, is_proven=proven)
        self._runner = asyncio.Runner()
        self._open = AsyncExitStack()
        self._stop = AsyncStopSignal()
        self._asker: Asker | None = None
        self._pictures: Pictures | None = None

    @property
    def ready(self) -> int:
        """Return how many requests are in flight."""
        return 0 if self._asker is None else self._asker.in_flight

    def close(self) -> None:
        """Close the connections."""
        self._runner.run(self._open.aclose())
        self._runner.close()

    def facts(self) -> ModelFacts:
        """Return which model is asked, once it is known that the server has it.

        Raises:
            InputError: nobody is at the address, or the server says that it lacks the model.
        """
        self._runner.run(self._begin())
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
        answers = self._runner.run(self._answers_to(both))
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
        while (shard := self._runner.run(self._next_shard(work, results, heard))) is not None:
            yield ShardAnswers(shard, [self._reply(work, q) for q in shard.questions])

    async def _next_shard(
        self, work: _Work, results: AsyncIterator[_Result], heard: Heard
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

    async def _results(self, asked: Iterable[tuple[str, AskedQuestion]]) -> AsyncIterator[_Result]:
        """Yield each question's key with what came of it, ``None`` for a broken picture.

        Those that are in the journal come first; each is asked once, however many rows it stands
        in. Where one worker meets the end of it, the others still get what they are waiting for.
        """
        distinct = {question_key(m, q.filename, q.text, q.view): (m, q) for m, q in asked}
        for key in [key for key in distinct if key in self._journal.answers]:
            del distinct[key]
            yield key, self._journal.answers[key]
        if not distinct:
            return
        asker = await self._begin()
        results: asyncio.Queue[_Result | _End] = asyncio.Queue()
        todo = deque(distinct.items())
        workers = [
            asyncio.create_task(self._work(asker, todo, results))
            for _ in range(min(self._endpoint.in_flight, len(distinct)))
        ]
        async for result in self._until_all_end(asker, len(workers), results):
            yield result
        for key, failed in self._failing.end():
            self._journal.keep(key, failed)
            yield key, failed

    async def _until_all_end(
        self, asker: Asker, workers: int, results: asyncio.Queue[_Result | _End]
    ) -> AsyncIterator[_Result]:
        """Yield results until all workers have ended.

        Raises:
            StoppedForNow: because of a signal.
            AboVqaError: what the first of them ended with.
        """
        ends: list[_End] = []
        while len(ends) < workers:
            result = await results.get()
            if not isinstance(result, _End):
                yield result
                continue
            ends.append(result)
            if result.error is not None:
                asker.stop.request(str(result.error))
        for error in (end.error for end in ends if end.error is not None):
            raise error
        if asker.stop.requested:
            raise StoppedForNow(
                f"{asker.stop.reason}: {len(self._journal.answers):,} answers are kept; "
                "run the same command again to go on"
            )

    async def _work(
        self,
        asker: Asker,
        todo: deque[tuple[str, tuple[str, AskedQuestion]]],
        results: asyncio.Queue[_Result | _End],
    ) -> None:
        """Ask one question after the other, until there are no more or the run is to stop."""
        error: Exception | None = None
        try:
            while todo and not asker.stop.requested:
                key, asked = todo.popleft()
                settled = await self._settled(asker, key, *asked)
                if settled is None:
                    todo.append((key, asked))
                for result in settled or ():
                    results.put_nowait(result)
        except StopRequested:
            pass
        except Exception as met:  # noqa: BLE001 - raised anew by whoever waits for results
            error = met
        results.put_nowait(_End(error))

    async def _settled(
        self, asker: Asker, key: str, model: str, question: AskedQuestion
    ) -> list[_Result] | None:
        """Ask a question; return what is settled now, and write it down; ``None`` for later."""
        assert self._pictures is not None
        try:
            photo = await self._pictures.photo(question.filename, question.view)
        except CorruptImage:
            return [(key, None)]
        request = Request(
            "",
            photo.jpeg,
            self._endpoint.instruction.around(question.text),
            photo.longest_px,
            NO_SCHEMA,
            temperature=_TEMPERATURE if asker.models[model].takes_temperature else None,
            most_output_tokens=self._endpoint.most_output_tokens,
        )
        settled = await asker.ask(Question(key, model, request))
        return None if settled is None else list(self._kept(key, settled))

    def _kept(self, key: str, settled: Settled) -> Iterator[tuple[str, Asked]]:
        if settled.asked.failure and not settled.is_its_own:
            self._failing.failed(key, settled.asked, is_refused=settled.is_refused)
            return
        for each in [*self._failing.answered(), (key, settled.asked)]:
            self._journal.keep(*each)
            yield each


@dataclass(frozen=True, slots=True)
class _End:
    """That a worker has ended, and because of what if not for want of questions."""

    error: Exception | None


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
