"""What the page asks for, read out of a request's address; all of it is checked here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Literal, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from curator.ledger.records.review import NOT_REVIEWED, Decision, PairFilter, Place, Shown
from shared.questions.types import question_types

MOST: Final = 200
LONGEST_TEXT: Final = 200
_PLACE: Final = re.compile(r"(\d{1,18})\.(\d{1,18})")

Asked = TypeVar("Asked", bound=BaseModel)
Agreements = Literal["", "agrees", "disagrees", "unknown"]
Opinions = Literal["", "agrees", "disagrees", "waiting", "none"]


class FilterAsked(BaseModel):
    """The fields of ``PairFilter`` as a request names them."""

    model_config = ConfigDict(frozen=True, extra="ignore", str_max_length=LONGEST_TEXT)

    campaign: int = Field(ge=1, le=2**62)
    shown: Shown = Shown.ACCEPTED
    search: str = ""
    question: str = ""
    answer: str = ""
    listing: str = ""
    model: str = ""
    kind: str = ""
    style: str = ""
    agreement: Agreements = ""
    opinion: Opinions = ""
    decision: str = ""
    reviewer: str = ""
    rule: str = ""

    def pair_filter(self) -> PairFilter:
        """Return the filter.

        Raises:
            HTTPBadRequest: a type or a decision that there is not.
        """
        if self.kind not in {"", *question_types()}:
            raise bad_request(f"kind: give one of {', '.join(question_types())}")
        if self.decision not in {"", NOT_REVIEWED, *(each.value for each in Decision)}:
            raise bad_request(f"decision: give {NOT_REVIEWED} or one of {', '.join(Decision)}")
        fields = self.model_dump()
        return PairFilter(fields.pop("campaign"), **fields)


def filter_in(query: Mapping[str, str]) -> PairFilter:
    """Return the filter that a request's address names.

    Raises:
        HTTPBadRequest: something in it cannot be.
    """
    return checked(FilterAsked, dict(query)).pair_filter()


def checked(model: type[Asked], values: object) -> Asked:
    """Return ``values`` as ``model``.

    Raises:
        HTTPBadRequest: they are not that; the message names the first field.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "request"
        raise bad_request(f"{where}: {first['msg']}") from error


def place_in(query: Mapping[str, str]) -> Place:
    """Return where a page begins.

    Raises:
        HTTPBadRequest: ``after`` names no place.
    """
    text = query.get("after", "")
    if not text:
        return Place()
    found = _PLACE.fullmatch(text)
    if found is None:
        raise bad_request("after: give what `next` of the last answer says")
    return Place(int(found[1]), int(found[2]) - 1)


def place_text(place: Place | None) -> str | None:
    """Return ``place`` as ``place_in`` reads it."""
    return None if place is None else f"{place.item_id}.{place.number + 1}"


def limit_in(query: Mapping[str, str], usual: int) -> int:
    """Return how many pairs are asked for.

    Raises:
        HTTPBadRequest: no number from 1 to ``MOST``.
    """
    text = query.get("limit", str(usual))
    if not text.isdecimal() or not 1 <= int(text[:9]) <= MOST:
        raise bad_request(f"limit: give a number from 1 to {MOST}")
    return int(text)


def bad_request(text: str) -> web.HTTPBadRequest:
    """Return the answer to what cannot be; ``text`` says the way out."""
    return web.HTTPBadRequest(text=f"{text}\n")
