"""The Batch API: jobs are made, looked at, listed, cancelled and deleted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from aiohttp import web

from curator.rehearsal.batches.job import Job
from curator.rehearsal.batches.job_book import JobBook
from curator.rehearsal.batches.job_input import read_new_job
from curator.rehearsal.batches.mishaps import JobMishap, LookMishap
from curator.rehearsal.doors.door import (
    VERSION,
    Received,
    Refused,
    Visitors,
    body_of,
    json_bytes,
    keep,
    success,
    telling,
)
from curator.rehearsal.doors.pages import NoSuchPage, page
from curator.rehearsal.faults import FaultPlan
from curator.rehearsal.inbound import MalformedRequest
from curator.rehearsal.judge import Judge
from curator.rehearsal.model_shelf import ModelShelf
from curator.rehearsal.tally import CREATE_BATCH
from curator.rehearsal.words.job_refusals import model_without_batches, unknown_page
from curator.rehearsal.words.replies import Json, WireReply, bad_request, overloaded
from shared.program.clock import Clock

_PAGE: Final = 50
_LARGEST_PAGE: Final = 1000


class BatchesDoor:
    """Answers about the jobs in a book."""

    def __init__(
        self,
        *,
        visitors: Visitors,
        judge: Judge,
        shelf: ModelShelf,
        jobs: JobBook,
        looks: FaultPlan[LookMishap],
        clock: Clock,
        record: Callable[[Received], None] | None,
    ) -> None:
        """Let ``visitors`` in; whom ``judge`` lets pass makes jobs for models on ``shelf``.

        ``looks`` deals what goes wrong with looks at jobs.
        """
        self._visitors = visitors
        self._judge = judge
        self._shelf = shelf
        self._jobs = jobs
        self._looks = looks
        self._clock = clock
        self._record = record

    def routes(self) -> list[web.RouteDef]:
        """Return what is answered here."""
        job = f"/{VERSION}/batches/{{id}}"
        return [
            web.post(f"/{VERSION}/models/{{model}}:batchGenerateContent", telling(self._create)),
            web.get(f"/{VERSION}/batches", telling(self._list)),
            web.get(job, telling(self._get)),
            web.delete(job, telling(self._delete)),
            web.post(f"{job}:cancel", telling(self._cancel)),
        ]

    async def _create(self, request: web.Request) -> web.StreamResponse:
        caller = self._visitors.admit(request, CREATE_BATCH)
        version, model = request.match_info["version"], request.match_info["model"]
        refused = self._judge.refusal(caller.key, caller.earlier, version=version, model=model)
        if refused is not None:
            raise Refused(refused.reply)
        if not self._shelf.takes_batches(model):
            raise Refused(model_without_batches(model, version))
        body = await body_of(request)
        keep(self._record, request, body)
        try:
            new = read_new_job(body)
        except MalformedRequest as error:
            raise Refused(bad_request(str(error))) from error
        limits = self._judge.limits(caller.key, model)
        made = await self._jobs.create(caller.key.project, limits, model, new)
        if isinstance(made, WireReply):
            raise Refused(made)
        if made.mishap is JobMishap.CREATE_DROPPED and request.transport is not None:
            request.transport.abort()
        # As it was made: it is told of as waiting even where it takes no time at all.
        return success(made.as_made())

    async def _get(self, request: web.Request) -> web.StreamResponse:
        job = await self._found(request, "get_batch")
        return self._shown(job.operation(self._clock.now()))

    async def _list(self, request: web.Request) -> web.StreamResponse:
        caller = self._visitors.admit(request, "list_batches")
        await self._jobs.settle()
        jobs = self._jobs.of(caller.key.project)
        try:
            shown = page(jobs, request.query, size=_PAGE, most=_LARGEST_PAGE)
        except NoSuchPage as error:
            raise Refused(unknown_page()) from error
        now = self._clock.now()
        body: Json = {"operations": [job.operation(now) for job in shown.items]}
        body |= {"nextPageToken": shown.next_token}
        return self._shown({name: value for name, value in body.items() if value})

    def _shown(self, body: Json) -> web.StreamResponse:
        mishap = self._looks.next()
        if mishap is LookMishap.LOOK_FAILED:
            raise Refused(overloaded())
        told = json_bytes(body)
        if mishap is LookMishap.LOOK_CUT:
            told = told[: len(told) // 2]
        return web.Response(body=told, content_type="application/json", charset="UTF-8")

    async def _cancel(self, request: web.Request) -> web.StreamResponse:
        job = await self._found(request, "cancel_batch")
        refused = self._jobs.cancel(job)
        if refused is not None:
            raise Refused(refused)
        return success({})

    async def _delete(self, request: web.Request) -> web.StreamResponse:
        job = await self._found(request, "delete_batch")
        job.is_deleted = True
        return success({})

    async def _found(self, request: web.Request, method: str) -> Job:
        caller = self._visitors.admit(request, method)
        await self._jobs.settle()
        job = self._jobs.find(caller.key.project, f"batches/{request.match_info['id']}")
        if isinstance(job, WireReply):
            raise Refused(job)
        return job
