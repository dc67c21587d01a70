"""The routes by which people are handed pairs and decide about them."""

from __future__ import annotations

from typing import Annotated, Final

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from curator.ledger.records.review import Decision, PairKey
from curator.ledger.reviews.candidates import Order
from curator.review.page.asked import FilterAsked, bad_request, checked
from curator.review.page.objects import pair_object, review_object
from curator.review.sitting import LONGEST_TEXT, NoSuchPair, Said, Sitting
from shared.web.bodies import json_in

MOST_AT_ONCE: Final = 5
"""Pairs that a page has ready, so that nobody waits for the next."""
_ONE_LINE: Final = r"^[^\x00-\x1f\x7f]*$"

Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=60, pattern=_ONE_LINE),
]
Text = Annotated[str, StringConstraints(max_length=LONGEST_TEXT, pattern=_ONE_LINE)]


class _Asked(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    reviewer: Name


class _NextAsked(_Asked):
    wanted: FilterAsked
    order: Order
    count: int = Field(default=1, ge=1, le=MOST_AT_ONCE)


class _DecisionAsked(_Asked):
    campaign: int = Field(ge=1, le=2**62)
    item: int = Field(ge=1, le=2**62)
    question: str = Field(max_length=2_000)
    answer: str = Field(max_length=2_000)
    decision: Decision
    correction: Text = ""
    reason: Text = ""


class _UndoAsked(_Asked):
    campaign: int = Field(ge=1, le=2**62)


def sitting_routes(sitting: Sitting) -> list[web.RouteDef]:
    """Return the routes; each takes and gives one JSON object."""

    async def hand_out(request: web.Request) -> web.Response:
        asked = checked(_NextAsked, await json_in(request))
        wanted = asked.wanted.pair_filter()
        pairs = await sitting.hand_out(wanted, asked.order, asked.reviewer, asked.count)
        # What others said of it is kept from who is to say it independently.
        return web.json_response({"pairs": [pair_object(pair) | {"reviews": []} for pair in pairs]})

    async def decide(request: web.Request) -> web.Response:
        asked = checked(_DecisionAsked, await json_in(request))
        said = Said(asked.reviewer, asked.decision, asked.correction, asked.reason)
        if complaint := said.complaint_about(asked.answer):
            raise bad_request(complaint)
        key = PairKey(asked.item, asked.question, asked.answer)
        try:
            review = await sitting.decide(asked.campaign, key, said)
        except NoSuchPair:
            raise web.HTTPNotFound(text="the ledger has no such image\n") from None
        return web.json_response(review_object(review))

    async def undo(request: web.Request) -> web.Response:
        asked = checked(_UndoAsked, await json_in(request))
        undone = await sitting.take_back(asked.reviewer, asked.campaign)
        if undone is None:
            return web.json_response({"review": None, "pair": None})
        review, pair = undone
        return web.json_response(
            {"review": review_object(review), "pair": pair_object(pair) | {"reviews": []}}
        )

    async def leave(request: web.Request) -> web.Response:
        await sitting.leave(checked(_Asked, await json_in(request)).reviewer)
        return web.json_response({})

    return [
        web.post("/api/review/next", hand_out),
        web.post("/api/review/decide", decide),
        web.post("/api/review/undo", undo),
        web.post("/api/review/leave", leave),
    ]
