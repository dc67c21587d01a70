"""The pairs that wait for people, in one order; several people are handed different ones."""

from __future__ import annotations

import asyncio

from curator.ledger.records.review import PairFilter, SeenPair
from curator.ledger.reviews import browsing, candidates, decisions
from curator.ledger.reviews.candidates import Candidate, Draw, Rank
from curator.review.desk import Desk


class Line:
    """What is left to look at of ``wanted``, drawn as ``draw`` says.

    Candidates are looked up a thousand at a time and kept here; who has which in hand stands in the
    ledger, so that several pages on one ledger hand out no pair twice.
    """

    def __init__(self, desk: Desk, wanted: PairFilter, draw: Draw) -> None:
        self._desk = desk
        self._wanted = wanted
        self._draw = draw
        self._waiting: list[Candidate] = []
        self._rest: Rank | None = Rank()
        self._turn = asyncio.Lock()

    async def hand_out(self, reviewer: str, count: int, now: float) -> list[SeenPair]:
        """Return up to ``count`` pairs for a person, fewer where nothing else is left.

        Raises:
            LedgerBusy: another process writes it; nothing was handed out.
        """
        async with self._turn:
            pairs: list[SeenPair] = []
            looked_again = False
            while len(pairs) < count:
                # What this person holds already is handed to them again, but once a call.
                handed = {pair.key for pair in pairs}
                given, over = await self._desk.changed(
                    decisions.hand_out,
                    [each for each in self._waiting if each.key not in handed],
                    reviewer,
                    count - len(pairs),
                    draw=self._draw,
                    now=now,
                )
                pairs += await self._as_they_are(given, over)
                if len(pairs) >= count or not (given or await self._more(looked_again)):
                    return pairs
                looked_again = looked_again or self._rest is None
            return pairs

    async def _as_they_are(self, given: list[Candidate], over: list[Candidate]) -> list[SeenPair]:
        """Return the pairs that were given; what is over, or was judged away, waits no longer."""
        keys = [candidate.key for candidate in given]
        found = await self._desk.told(browsing.pairs_at, self._wanted.campaign_id, keys)
        gone = {candidate.key for candidate in over} | (set(keys) - found.keys())
        self._waiting = [each for each in self._waiting if each.key not in gone]
        return [found[key] for key in keys if key in found]

    async def _more(self, looked_again: bool) -> bool:
        """Look up further candidates; at the end once more from the start, for a run adds pairs."""
        if self._rest is None:
            if looked_again:
                return False
            self._waiting, self._rest = [], Rank()
        found, self._rest = await self._desk.told(
            candidates.candidates, self._wanted, self._draw, self._rest
        )
        self._waiting += found
        return bool(found) or self._rest is not None
