"""The routes: the page and its files, the API, health and metrics. All of them only read."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from curator.ledger import Ledger, NewestItem
from curator.review.gathering import summary_object
from curator.review.page.item_pictures import ItemPictures
from curator.status.live import LiveReport
from curator.status.page.metrics import CONTENT_TYPE, metrics_text
from curator.status.page.sharing import Shared
from curator.status.status import status_object
from shared.endpoints.keys.variables import TOKEN_VARIABLE
from shared.program.clock import Clock
from shared.value_class import value_class
from shared.web.access import Access, Address, add_headers
from shared.web.listening import listening
from shared.web.pages import Login, health, login_routes, page_routes

NEWEST: Final = 12
MOST_NEWEST: Final = 60
_FILES: Final = ("page.html", "page.css", "page.js", "chart.js", "moment.js")
_LOGIN: Final = Login("curator", "Show the campaign", "the run", TOKEN_VARIABLE)


@value_class
class Watched:
    """What the page looks at: a run's report in memory, and its ledger for single images."""

    live: LiveReport
    ledger: Ledger
    images_dir: Path
    clock: Clock


@asynccontextmanager
async def served(address: Address, watched: Watched) -> AsyncIterator[Address]:
    """Serve the status page for the time of the block; yields where (port 0 picks one).

    Raises:
        InputError: the port is taken, or the host is none of this machine's.
    """
    application = _application(Access(address, "curator-status"), watched)
    async with listening(application, address, "--status") as where:
        yield where


def _application(access: Access, watched: Watched) -> web.Application:
    application = web.Application(middlewares=[access.guard()], client_max_size=4096)
    application.on_response_prepare.append(add_headers)
    application.add_routes(
        [
            *page_routes("curator.status.page", _FILES),
            *login_routes(access, _LOGIN),
            web.get("/healthz", health),
            *_campaign_routes(watched),
        ]
    )
    return application


def _campaign_routes(watched: Watched) -> list[web.RouteDef]:
    live, clock = watched.live, watched.clock
    pictures = ItemPictures(watched.ledger.image_path, [watched.images_dir])

    async def status() -> str:
        now = clock.now()
        told = status_object([live.standing(now)], now)
        judged = await watched.ledger.judged_pairs(live.campaign_id)
        reviews = [summary_object(live.campaign_id, judged)] if judged else []
        return json.dumps(told | {"reviews": reviews})

    async def history() -> str:
        bins = [{"at": at, **asdict(counts)} for at, counts in live.history.bins(clock.now())]
        return json.dumps({"width_s": live.history.width_s, "bins": bins})

    async def newest(limit: int) -> str:
        pages = await watched.ledger.opened_pages()
        items = await pages.newest(live.campaign_id, limit)
        return json.dumps({"items": [_item_object(item) for item in items]})

    async def metrics() -> bytes:
        now = clock.now()
        return metrics_text(live.standing(now), now)

    newest_by_limit = {limit: Shared(partial(newest, limit)) for limit in range(1, MOST_NEWEST + 1)}
    shared_metrics = Shared(metrics)

    async def answered_newest(request: web.Request) -> web.Response:
        return await _json(newest_by_limit[_limit(request)])

    async def answered_metrics(_: web.Request) -> web.Response:
        body = await shared_metrics.get()
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE})

    return [
        web.get("/api/status", _route(Shared(status))),
        web.get("/api/history", _route(Shared(history))),
        web.get("/api/newest", answered_newest),
        pictures.route("/thumbnails"),
        web.get("/metrics", answered_metrics),
    ]


def _route(shared: Shared[str]) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answered(_: web.Request) -> web.Response:
        return await _json(shared)

    return answered


async def _json(shared: Shared[str]) -> web.Response:
    return web.Response(text=await shared.get(), content_type="application/json")


def _limit(request: web.Request) -> int:
    text = request.query.get("limit", str(NEWEST))
    if not text.isdecimal() or not 1 <= int(text[:9]) <= MOST_NEWEST:
        raise web.HTTPBadRequest(text=f"limit: give a number from 1 to {MOST_NEWEST}\n")
    return int(text)


def _item_object(item: NewestItem) -> dict[str, Any]:
    return {
        "item": item.item_id,
        "listing_id": item.listing.listing_id,
        "image_path": item.listing.image.path,
        "thumbnail": f"thumbnails/{item.item_id}",
        "state": item.state.name.lower(),
        "finished_at": item.finished_at,
        "key": item.key_label,
        "detail": item.detail,
        "pairs": [asdict(pair) for pair in item.pairs],
    }
