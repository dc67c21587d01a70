"""Answers the requests of a job and writes the results down, with what goes wrong among them."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import Final

from curator.rehearsal.answers.replying import Replier, Ruling
from curator.rehearsal.batches.job import Job, Results, Row
from curator.rehearsal.batches.mishaps import JobMishap, RowMishap
from curator.rehearsal.faults import Fault, FaultPlan
from curator.rehearsal.model_shelf import ModelShelf
from curator.rehearsal.words.job_refusals import status_of
from curator.rehearsal.words.replies import Json, WireReply, internal_error
from shared.value_class import value_class

_AT_ONCE: Final = 8
_VERSION: Final = "v1beta"


@value_class
class RowResult:
    """What came of a request: a field of its line, ``response`` or ``error``.

    ``ruling`` is how it was answered, ``None`` where it was not. ``outcome`` is the name under
    which it is counted.
    """

    row: Row
    told: Json = field(repr=False)
    outcome: str
    ruling: Ruling | None = None
    mishap: RowMishap | None = None


class JobResults:
    """Makes the results of jobs."""

    def __init__(
        self,
        *,
        replier: Replier,
        shelf: ModelShelf,
        rows: FaultPlan[RowMishap],
        content: FaultPlan[Fault],
        die: random.Random,
        tell: Callable[[Ruling, bool], None],
    ) -> None:
        """Deal ``content`` to what the models on ``shelf`` write, ``rows`` to how results come.

        Each answer is handed to ``tell``, with whether it comes as it should.
        """
        self._replier = replier
        self._shelf = shelf
        self._rows = rows
        self._content = content
        self._die = die
        self._tell = tell
        self.outcomes: Counter[str] = Counter()
        """Requests of jobs by what came of them."""

    async def answer(self, job: Job, now: float) -> list[RowResult]:
        """Answer the requests of ``job``, in their order."""
        gone = self._shelf.refusal(job.model, job.project, version=_VERSION, now=now)
        if gone is not None:
            error = {"error": status_of(gone)}
            return [RowResult(row, error, "unknown_model") for row in job.rows]
        dealt = [(row, self._rows.next(), self._content.next()) for row in job.rows]
        limit = asyncio.Semaphore(_AT_ONCE)

        async def answered(row: Row, mishap: RowMishap | None, fault: Fault | None) -> RowResult:
            async with limit:
                return await self._answered(row, job.model, mishap, fault, now)

        return await asyncio.gather(*(answered(*each) for each in dealt))

    async def _answered(
        self, row: Row, model: str, mishap: RowMishap | None, fault: Fault | None, now: float
    ) -> RowResult:
        if isinstance(row.asks, WireReply):
            return RowResult(row, {"error": status_of(row.asks)}, "refused")
        if mishap is RowMishap.ROW_ERROR:
            return RowResult(row, {"error": status_of(internal_error())}, mishap)
        self._shelf.count(model)
        ruling = await self._replier.reply(row.asks, model, fault, now)
        if not ruling.reply.is_success:
            return RowResult(row, {"error": status_of(ruling.reply)}, ruling.outcome)
        usage = dict(ruling.reply.body["usageMetadata"])
        usage.pop("serviceTier")
        told = {"response": ruling.reply.body | {"usageMetadata": usage}}
        return RowResult(row, told, mishap or ruling.outcome, ruling, mishap)

    def written(self, job: Job, results: Sequence[RowResult]) -> tuple[Results, bytes]:
        """Return what is told of ``results``, and the lines of their file."""
        coming = _under_keys(results[: _how_many_come(job)])
        # Nothing tells of results that are lost but those of a job that succeeded in part.
        told = [result for _, result in coming] if job.mishap is JobMishap.PARTLY else results
        failed = len(results) - sum("response" in result.told for result in told)
        self._count(results, {id(result): row for row, result in coming})
        lines = [line for row, result in coming for line in _lines(row, result)]
        if job.mishap is JobMishap.SHUFFLED:
            self._die.shuffle(lines)
        if not job.input_file:
            return Results(len(results) - failed, failed, inline=tuple(map(json.loads, lines))), b""
        return Results(len(results) - failed, failed), b"".join(lines)

    def _count(self, results: Sequence[RowResult], coming: Mapping[int, Row]) -> None:
        for result in results:
            row = coming.get(id(result))
            is_swapped = row is not None and row is not result.row
            lost = RowMishap.MISSING if result.mishap is RowMishap.MISSING else "lost_with_job"
            outcome = RowMishap.SWAPPED if is_swapped else result.outcome
            self.outcomes[lost if row is None else outcome] += 1
            if result.ruling is not None:
                is_whole = result.mishap is not RowMishap.BROKEN_LINE
                self._tell(result.ruling, row is result.row and is_whole)


def _how_many_come(job: Job) -> int:
    if job.mishap in (JobMishap.EMPTY, JobMishap.BLANK, JobMishap.GONE):
        return 0
    return len(job.rows) // 2 if job.mishap is JobMishap.PARTLY else len(job.rows)


def _under_keys(results: Sequence[RowResult]) -> list[tuple[Row, RowResult]]:
    """Return the results that come, each with the request under whose key it does."""
    coming = [result for result in results if result.mishap is not RowMishap.MISSING]
    rows = [result.row for result in coming]
    for place, result in enumerate(coming):
        if result.mishap is RowMishap.SWAPPED:
            other = (place + 1) % len(rows)
            rows[place], rows[other] = rows[other], rows[place]
    return list(zip(rows, coming, strict=True))


def _lines(row: Row, result: RowResult) -> list[bytes]:
    named: Json = {} if row.key is None else {"key": row.key}
    named |= {"metadata": row.metadata} if row.metadata else {}
    line = json.dumps(result.told | named, ensure_ascii=False).encode(errors="replace")
    if result.mishap is RowMishap.BROKEN_LINE:
        line = line[: len(line) // 2]
    return [line + b"\n"] * (2 if result.mishap is RowMishap.TWICE else 1)
