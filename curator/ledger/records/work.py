"""What a campaign asks about: listings, pairs, and the replies that were got for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Any

from shared.endpoints.keys.asked_model import AskedModel
from shared.endpoints.models.budget_limit import NO_LIMIT, BudgetLimit
from shared.records import Listing
from shared.value_class import value_class


class WorkState(IntEnum):
    """Where an item of a campaign stands."""

    PENDING = 0
    DONE = 1
    DEAD = 2
    ALIKE = 3
    """Another image that looks the same is asked in its place; no progress counts it."""
    UNFIT = 4
    """It has not what the run wants of pictures, and nobody asks about it; nor is it counted."""
    ALONG = 5
    """It goes along in the request about another picture of its listing; no progress counts it."""


@value_class
class Campaign:
    """One way of asking about a catalogue: another prompt is another campaign.

    ``models``, in order of preference, and ``annotator`` are whom its latest run asks, ``budget``
    is what it may spend, and about so many images as ``canaries`` says it asks again each day; that
    tells no campaigns apart. ``prompts`` are the prompts as plain values, empty where a ledger of
    before has their version alone.
    """

    models: Sequence[AskedModel]
    prompt_version: str
    questions: int
    annotator: str = "gemini"
    budget: BudgetLimit = NO_LIMIT
    canaries: int = 0
    prompts: Sequence[Mapping[str, Any]] = ()

    @property
    def model_names(self) -> list[str]:
        """Return the names of the models."""
        return [model.name for model in self.models]


@value_class
class View:
    """A further picture of a listing, by its item and the path of its image."""

    item_id: int
    path: str


@value_class
class WorkItem:
    """A listing that waits for its questions; ``attempts`` counts what failed so far.

    ``rank`` is its place in the queue, ``views`` are the pictures that go along in its request.
    """

    item_id: int
    listing: Listing
    attempts: int
    rank: int = 0
    views: tuple[View, ...] = ()


@value_class
class ItemLook:
    """How an item's image looks: the bits of its hash, and the bytes of its thumbnail.

    ``is_waiting`` says that nothing was asked about it yet.
    """

    item_id: int
    path: str
    hash: int
    thumbnail: bytes
    is_waiting: bool = True


@value_class
class PairItem:
    """A pair that waits for a second opinion; ``attempts`` counts what failed so far.

    ``answered_by`` is the model that was asked for the pair; empty where that is not known.
    """

    item_id: int
    listing: Listing
    attempts: int
    question: str
    answer: str
    answered_by: str = ""


@value_class
class CanaryItem:
    """A question that ``model`` is to be asked again on a quota ``day``, written YYYY-MM-DD.

    ``first_answer`` is what it answered first, ``None`` where it has not yet.
    """

    item_id: int
    listing: Listing
    attempts: int
    question: str
    model: str
    day: str
    first_answer: str | None = None


@value_class
class KeptReply:
    """What an attempt got, as received, whose protocol it is in, and the model that made it.

    ``views`` are the items of the further pictures that its request had, 0 for one that is asked
    about otherwise by now.
    """

    attempt_id: int
    annotator: str
    model: str
    body: str
    views: tuple[int, ...] = ()


@value_class
class RepliedPair:
    """A pair with the latest reply to its question, and the failures before it.

    ``image`` is the path of its image, which is one of the listing ``listing_id``.
    """

    item_id: int
    question: str
    answer: str
    state: WorkState
    attempts: int
    reply: KeptReply
    image: str
    listing_id: str


@value_class
class RepliedItem:
    """An item with what was received about it: ``replies`` are in the order in which they came.

    ``state`` and ``reason`` are the item's present ones, ``maker_id`` the attempt that brought the
    present pairs, 0 where there are none.
    """

    item: WorkItem
    state: WorkState
    reason: str
    replies: tuple[KeptReply, ...]
    maker_id: int = 0
