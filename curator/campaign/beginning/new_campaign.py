"""Says that a new campaign begins on a ledger that has others; on a terminal, asks before it does.

Another prompt or number of questions asks about every image again, which costs a quota that a
mistyped option is not worth.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from typing import Final

from curator.ledger import Campaign, Ledger
from curator.status.telling_apart import told_apart
from shared.errors import InputError
from shared.program.async_stopping import AsyncStopSignal
from shared.program.reporting.event_log import EventLog

_YES: Final = frozenset({"y", "yes"})

log = EventLog(__name__)


async def agree_to_new(
    campaign: Campaign, ledger: Ledger, stop: AsyncStopSignal, *, is_agreed: bool
) -> None:
    """Tell if ``campaign`` is new beside others, and ask unless ``is_agreed`` or nobody is there.

    Raises:
        InputError: whoever was asked did not say yes; nothing was begun.
        StopRequested: the run is to stop.
    """
    others = await ledger.campaigns()
    if not others or any(_is_same(campaign, other) for other in others.values()):
        return
    images = await ledger.images()
    new, beside = _described(campaign, others)
    if not is_agreed and sys.stdin.isatty() and sys.stderr.isatty():
        question = f"This begins a new campaign ({new}) about {images:,} images, beside {beside}."
        print(f"{question} Begin it? [y/N] ", end="", file=sys.stderr, flush=True)
        if (await _line(stop)).strip().lower() not in _YES:
            raise InputError(
                "no new campaign was begun; --yes begins it, and the prompt and --questions of "
                "before go on with what is there"
            )
    log.warning("new_campaign", asks=new, images=images, beside=beside)


def _is_same(campaign: Campaign, other: Campaign) -> bool:
    """Return whether the two are one in the ledger."""
    return (campaign.prompt_version, campaign.questions) == (other.prompt_version, other.questions)


def _described(campaign: Campaign, others: Mapping[int, Campaign]) -> tuple[str, str]:
    new, *old = told_apart([campaign, *others.values()])
    return new, "; ".join(f"{number} ({words})" for number, words in zip(others, old, strict=True))


async def _line(stop: AsyncStopSignal) -> str:
    """Return what is typed, without keeping signals from being heard."""
    loop, typed = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), typed.set)
    try:
        await stop.wait(typed)
    finally:
        loop.remove_reader(sys.stdin.fileno())
    line = sys.stdin.readline()
    if not line.endswith("\n"):
        # At the end of the input nobody ended the line of the question.
        print(file=sys.stderr)
    return line
