"""The routes: answers, the page to try them with, health and metrics."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Final

from aiohttp import hdrs, web
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from evaluator.answering.messages import ModelFacts
from evaluator.answering.sureness import Sureness, sure_cells
from evaluator.serve.batching import Batcher, QueueFull
from evaluator.serve.receiving import LARGEST_BODY_BYTES, read_asked
from shared.program.clock import stopwatch
from shared.program.reporting.event_log import EventLog
from shared.web.access import Access, Handler, add_headers
from shared.web.pages import Login, health, login_routes, page_routes

log = EventLog(__name__)

_FILES: Final = ("page.html", "page.css", "page.js")
_LOGIN: Final = Login("evaluator", "Ask the model", "the server", "EVALUATOR_TOKEN")
_KEPT_HEADERS: Final = (hdrs.RETRY_AFTER, hdrs.WWW_AUTHENTICATE, hdrs.ALLOW)


class Meters:
    """What ``/metrics`` tells."""

    def __init__(self, batcher: Batcher) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "evaluator_requests", "Requests for an answer.", ["status"], registry=self.registry
        )
        self.seconds = Histogram(
            "evaluator_answer_seconds", "From request to answer.", registry=self.registry
        )
        for name, text, value in (
            ("evaluator_waiting_questions", "Not yet in a batch.", lambda: batcher.waiting),
            ("evaluator_batches", "Batches answered.", lambda: batcher.batches),
        ):
            Gauge(name, text, registry=self.registry).set_function(value)


def application(
    access: Access, batcher: Batcher, facts: ModelFacts, sureness: Sureness | None = None
) -> web.Application:
    """Return the site, which answers by ``batcher`` and says whether it is sure."""
    site = web.Application(
        middlewares=[_json_errors, access.guard()], client_max_size=LARGEST_BODY_BYTES
    )
    site.on_response_prepare.append(add_headers)
    meters = Meters(batcher)
    site.add_routes(
        [
            web.post("/answer", _counted(_answer(batcher, sureness), meters)),
            *page_routes("evaluator.serve", _FILES),
            *login_routes(access, _LOGIN),
            web.get("/healthz", health),
            web.get("/api/model", _model(facts)),
            web.get("/metrics", _metrics(meters)),
        ]
    )
    return site


@web.middleware
async def _json_errors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPError as error:
        headers = {name: error.headers[name] for name in _KEPT_HEADERS if name in error.headers}
        text = (error.text or error.reason).strip()
        return web.json_response({"error": text}, status=error.status, headers=headers)


def _answer(batcher: Batcher, sureness: Sureness | None) -> Handler:
    async def answer(request: web.Request) -> web.Response:
        try:
            # Before the body is read, so that those who cannot be answered take no memory.
            batcher.refuse_if_full()
            reply = await batcher.ask(await read_asked(request))
        except QueueFull as full:
            headers = {hdrs.RETRY_AFTER: str(full.retry_after_s)}
            raise web.HTTPServiceUnavailable(text=str(full), headers=headers) from full
        except web.HTTPException:
            raise
        except Exception as error:
            log.error("answer_failed", exc_info=error)  # noqa: TRY400 (its own method)
            raise web.HTTPInternalServerError(text="the model failed; see the log") from error
        if reply.broken_image:
            raise web.HTTPBadRequest(text="image: cannot be decoded; it is cut off or damaged")
        told = {} if sureness is None else sure_cells(sureness, reply.confidence)
        said = {"answer": reply.answer, "confidence": reply.confidence, **told}
        return web.json_response(said)

    return answer


def _counted(handler: Handler, meters: Meters) -> Handler:
    async def counted(request: web.Request) -> web.StreamResponse:
        started = stopwatch()
        try:
            response = await handler(request)
        except web.HTTPException as error:
            meters.requests.labels(error.status).inc()
            raise
        meters.requests.labels(response.status).inc()
        meters.seconds.observe(stopwatch() - started)
        return response

    return counted


def _model(facts: ModelFacts) -> Handler:
    async def model(_: web.Request) -> web.Response:
        return web.json_response(asdict(facts))

    return model


def _metrics(meters: Meters) -> Handler:
    async def metrics(_: web.Request) -> web.Response:
        body = generate_latest(meters.registry)
        return web.Response(body=body, headers={hdrs.CONTENT_TYPE: CONTENT_TYPE_PLAIN_0_0_4})

    return metrics
