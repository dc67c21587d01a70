"""The routes of the page: its files, the pairs and their pictures, and where people decide."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from curator.ledger.errors import LedgerBusy, LedgerFailure
from curator.ledger.reviews.candidates import Order
from curator.review.desk import Desk
from curator.review.gathering import reports_in, reviews_object
from curator.review.page.asked import filter_in, limit_in, place_in, place_text
from curator.review.page.item_pictures import ItemPictures
from curator.review.page.objects import facets_object, pair_object
from curator.review.page.sitting_routes import sitting_routes
from curator.review.sitting import REASONS, Sitting
from shared.endpoints.keys.variables import TOKEN_VARIABLE
from shared.questions.types import question_types
from shared.value_class import value_class
from shared.web.access import Access, Address, Handler, add_headers
from shared.web.listening import listening
from shared.web.pages import Login, health, login_routes, page_routes

OPTION: Final = "--listen"
SITE: Final = "curator-view"
PICTURE_PX: Final = 1024
PICTURES_KEPT: Final = 60
"""Large pictures in memory, of some 150 kB each."""
USUAL_LIMIT: Final = 50
_FILES: Final = (
    *("page.html", "page.css", "page.js", "elements.js", "filters.js", "browse.js"),
    *("review.css", "review.js", "outbox.js", "figures.js"),
)
_LOGIN: Final = Login("curator", "Look at the pairs", "the page", TOKEN_VARIABLE)


@value_class
class Looked:
    """What the page is about: a ledger, where its images lie, and who sits at it.

    Without ``sitting`` the page only shows; ``reviewer`` is the name that it proposes.
    """

    desk: Desk
    images_dirs: Sequence[Path]
    sitting: Sitting | None = None
    reviewer: str = ""

    def sitting_object(self) -> dict[str, Any] | None:
        """Return what people who sit down are told; ``None`` where pairs are only looked at."""
        if self.sitting is None:
            return None
        return {
            "reviewer": self.reviewer,
            "orders": [order.value for order in Order],
            "order": self.sitting.draw.order.value,
            "double": self.sitting.draw.double,
            "reasons": dict(REASONS),
        }


@asynccontextmanager
async def served(address: Address, looked: Looked) -> AsyncIterator[Address]:
    """Serve the page for the time of the block; yields where (port 0 picks one).

    Raises:
        InputError: the port is taken, or the host is none of this machine's.
    """
    async with listening(application(address, looked), address, OPTION) as where:
        yield where


def application(address: Address, looked: Looked) -> web.Application:
    """Return the site as it is served at ``address``."""
    access = Access(address, SITE)
    site = web.Application(
        middlewares=[access.guard(), _told_of_the_ledger], client_max_size=64 * 1024
    )
    site.on_response_prepare.append(add_headers)
    desk = looked.desk
    site.add_routes(
        [
            *page_routes("curator.review.page.browser", _FILES),
            *login_routes(access, _LOGIN),
            web.get("/healthz", health),
            *_reading_routes(looked),
            *([] if looked.sitting is None else sitting_routes(looked.sitting)),
            ItemPictures(desk.image_path, looked.images_dirs).route("/thumbnails"),
            ItemPictures(desk.image_path, looked.images_dirs, PICTURE_PX, PICTURES_KEPT).route(
                "/pictures"
            ),
        ]
    )
    return site


@web.middleware
async def _told_of_the_ledger(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer 503 where the ledger cannot be read or written now; the page tries again."""
    try:
        return await handler(request)
    except LedgerBusy as error:
        raise web.HTTPServiceUnavailable(text=f"{error}\n", headers={"Retry-After": "1"}) from error
    except LedgerFailure as error:
        raise web.HTTPServiceUnavailable(text=f"{error}\n") from error


def _reading_routes(looked: Looked) -> list[web.RouteDef]:
    desk = looked.desk

    async def ledger(_: web.Request) -> web.Response:
        campaigns = [facets_object(campaign) for campaign in await desk.facets()]
        return web.json_response(
            {
                "ledger": desk.path.name,
                "campaigns": campaigns,
                "kinds": list(question_types()),
                "review": looked.sitting_object(),
            }
        )

    async def pairs(request: web.Request) -> web.Response:
        query = request.query
        page = await desk.page(filter_in(query), place_in(query), limit_in(query, USUAL_LIMIT))
        return web.json_response(
            {
                "pairs": [pair_object(pair) for pair in page.pairs],
                "next": place_text(page.after),
                "looked_at": page.looked_at,
            }
        )

    async def count(request: web.Request) -> web.Response:
        found, after = await desk.count(filter_in(request.query), place_in(request.query))
        return web.json_response({"count": found, "next": place_text(after)})

    async def report(_: web.Request) -> web.Response:
        return web.json_response({"reviews": reviews_object(await desk.told(reports_in))})

    return [
        web.get("/api/ledger", ledger),
        web.get("/api/reviews", report),
        web.get("/api/pairs", pairs),
        web.get("/api/pairs/count", count),
    ]
