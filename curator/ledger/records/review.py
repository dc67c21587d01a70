"""What people who look at pairs ask of a ledger, and what they leave in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from shared.value_class import value_class


class Shown(StrEnum):
    """What is looked at: pairs by what became of them, or images that have none."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    """They broke a rule."""
    GIVEN_UP = "given_up"
    WAITING = "waiting"


class Decision(StrEnum):
    """What a person says of a pair."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    """There is no right answer, or the person does not know it."""
    CORRECTED = "corrected"
    """The question is good, and another answer is the right one."""
    SKIPPED = "skipped"
    """No verdict: the pair is left to others."""


NOT_REVIEWED = "none"
"""What ``PairFilter.decision`` says of pairs on which nobody decided."""


@value_class
class PairFilter:
    """Which pairs of a campaign are looked at; empty fields choose nothing.

    ``question``, ``answer`` and ``listing`` are parts of a text, in any case; ``listing`` of what
    the catalogue says, the id and the image's name included. ``search`` has words of which each has
    to stand in one of the three. ``opinion`` is agrees, disagrees, waiting or none; ``decision`` a
    ``Decision`` or ``NOT_REVIEWED``; ``kind`` a question type,
    ``style`` one of the prompt's; ``rule`` one that refused a pair.
    """

    campaign_id: int
    shown: Shown = Shown.ACCEPTED
    search: str = ""
    question: str = ""
    answer: str = ""
    listing: str = ""
    model: str = ""
    kind: str = ""
    style: str = ""
    agreement: str = ""
    opinion: str = ""
    decision: str = ""
    reviewer: str = ""
    rule: str = ""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a page of pairs begins: after this pair of this image, in the order of both."""

    item_id: int = 1
    number: int = -1


@value_class
class PairKey:
    """What a verdict belongs to: an image, a question and an answer, whatever request made them."""

    item_id: int
    question: str
    answer: str


@value_class
class Review:
    """A person's verdict on a pair.

    ``correction`` is the right answer where the decision says so, ``reason`` why the pair was
    rejected. ``drawn`` is the order in which the pair came to the person, ``position`` where in the
    random order of ``drawn_seed`` it stands, in [0, 1): see ``curator.review.sample``.
    """

    key: PairKey
    reviewer: str
    decision: Decision
    decided_at: float
    correction: str = ""
    reason: str = ""
    drawn: str = ""
    drawn_seed: int = 0
    position: float = 1.0


@value_class
class SeenPair:
    """A pair, or an image without one, as people look at it.

    ``number`` is its place among those of its image. ``opinion`` is "" where none was asked for.
    ``reason`` is why an image was given up, ``rule`` why a pair was refused.
    """

    campaign_id: int
    place: Place
    listing_id: str
    image_path: str
    metadata: Mapping[str, str]
    question: str = ""
    answer: str = ""
    difficulty: str = ""
    agreement: str = ""
    style: str = ""
    model: str = ""
    opinion: str = ""
    second_answer: str = ""
    rule: str = ""
    reason: str = ""
    prompt_version: str = ""
    reviews: tuple[Review, ...] = ()
    position: float = 1.0

    @property
    def key(self) -> PairKey:
        """What a verdict on it belongs to."""
        return PairKey(self.place.item_id, self.question, self.answer)


@value_class
class PairPage:
    """Some pairs in order; ``after`` is where the next page begins, ``None`` at the end.

    A page may have fewer pairs than were asked for, or none, before the end: ``looked_at`` images
    were looked at for it, and no more at a time.
    """

    pairs: tuple[SeenPair, ...]
    after: Place | None
    looked_at: int


@value_class
class CampaignFacets:
    """What the pairs of a campaign can be told apart by, with how many there are of each."""

    campaign_id: int
    prompt_version: str
    questions: int
    images: int
    pairs: int
    styles: tuple[str, ...] = ()
    models: Mapping[str, int] = field(default_factory=dict)
    rules: Mapping[str, int] = field(default_factory=dict)
