"""What people do at the desk: they are handed pairs, decide, and take back."""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from curator.ledger.records.review import (
    Decision,
    PairFilter,
    PairKey,
    Review,
    SeenPair,
    Shown,
)
from curator.ledger.reviews import browsing, decisions
from curator.ledger.reviews.candidates import Draw, Order, position_of
from curator.review.desk import Desk
from curator.review.line import Line
from shared.program.clock import Clock
from shared.questions.answers import normalise
from shared.value_class import value_class

MOST_LINES: Final = 16
LONGEST_TEXT: Final = 200
"""Characters of a correction or a reason."""
CHOSEN: Final = "chosen"
"""How a pair was drawn that somebody picked out, in no order."""
REASONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "wrong_answer": "the answer is wrong",
        "not_visible": "the picture does not show it",
        "several_answers": "several answers are right",
        "unclear_question": "the question is unclear",
        "bad_picture": "the picture is no good",
        "unfit": "it should not be asked",
    }
)
"""Why pairs are rejected; any other text is a reason as well."""


class NoSuchPair(Exception):
    """Somebody decided about a pair of an image that the ledger does not have."""


@value_class
class Said:
    """A person's decision, as it is sent."""

    reviewer: str
    decision: Decision
    correction: str = ""
    reason: str = ""

    def complaint_about(self, answer: str) -> str:
        """Return what is wrong with it as a decision about ``answer``; empty if nothing is."""
        if self.decision is Decision.CORRECTED:
            if not normalise(self.correction):
                return "correction: give the right answer"
            if normalise(self.correction) == normalise(answer):
                return "correction: that is the answer which is there; accept it"
            if len(self.correction) > LONGEST_TEXT:
                return f"correction: give at most {LONGEST_TEXT} characters"
        if self.decision is Decision.REJECTED and not self.reason.strip():
            return f"reason: give one of {', '.join(REASONS)}, or your own words"
        return ""

    def review_of(self, key: PairKey, at: float, drawn: tuple[str, int, float]) -> Review:
        """Return it as the verdict on a pair that was drawn as ``drawn``: order, seed, position."""
        is_correction = self.decision is Decision.CORRECTED
        is_rejection = self.decision is Decision.REJECTED
        return Review(
            key,
            self.reviewer,
            self.decision,
            at,
            _one_line(self.correction) if is_correction else "",
            _one_line(self.reason)[:LONGEST_TEXT] if is_rejection else "",
            *drawn,
        )


def _one_line(text: str) -> str:
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(printable.split())


class Sitting:
    """One page at which people sit, in ``draw``'s order unless they choose another."""

    def __init__(self, desk: Desk, clock: Clock, draw: Draw) -> None:
        self.desk = desk
        self.draw = draw
        self._clock = clock
        self._lines: OrderedDict[tuple[PairFilter, Order], Line] = OrderedDict()

    async def hand_out(
        self, wanted: PairFilter, order: Order, reviewer: str, count: int
    ) -> list[SeenPair]:
        """Return the next pairs for a person; none where nothing is left in this order."""
        wanted = replace(wanted, shown=Shown.ACCEPTED, decision="", reviewer="", rule="")
        line = self._lines.get((wanted, order))
        if line is None:
            is_of_all = wanted == PairFilter(wanted.campaign_id)
            draw = replace(self.draw, order=order, is_of_all=is_of_all)
            line = Line(self.desk, wanted, draw)
            self._lines[wanted, order] = line
            while len(self._lines) > MOST_LINES:
                self._lines.popitem(last=False)
        self._lines.move_to_end((wanted, order))
        return await line.hand_out(reviewer, count, self._clock.now())

    async def decide(self, campaign_id: int, key: PairKey, said: Said) -> Review:
        """Write a decision, in the place of what the same person said of the pair before.

        Raises:
            NoSuchPair: the ledger has no such image.
            LedgerBusy: another process writes it; nothing was changed.
        """
        return await self.desk.changed(
            _decide, campaign_id, key, said, seed=self.draw.seed, now=self._clock.now()
        )

    async def take_back(self, reviewer: str, campaign_id: int) -> tuple[Review, SeenPair] | None:
        """Undo a person's latest decision on a pair of a campaign.

        Return it and the pair; ``None`` if there is none.
        """
        return await self.desk.changed(_take_back, reviewer, campaign_id, self._clock.now())

    async def leave(self, reviewer: str) -> None:
        """Let others have what is in a person's hands."""
        await self.desk.changed(decisions.give_up, reviewer)


def _take_back(
    connection: sqlite3.Connection, reviewer: str, campaign_id: int, now: float
) -> tuple[Review, SeenPair] | None:
    review = decisions.take_back(connection, reviewer, campaign_id, now)
    if review is None:
        return None
    return review, browsing.pairs_at(connection, campaign_id, [review.key])[review.key]


def _decide(
    connection: sqlite3.Connection,
    campaign_id: int,
    key: PairKey,
    said: Said,
    *,
    seed: int,
    now: float,
) -> Review:
    if browsing.image_path(connection, key.item_id) is None:
        raise NoSuchPair
    drawn = decisions.drawn_as(connection, key, said.reviewer)
    if drawn is None:
        position = position_of(connection, campaign_id, key, seed)
        drawn = (CHOSEN, seed, 1.0 if position is None else position)
    review = said.review_of(key, now, drawn)
    decisions.put(connection, [review])
    return review
