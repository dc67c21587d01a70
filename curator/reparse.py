"""Judges the kept replies of a campaign again, by the parser and the rules of this release.

What was paid for is never asked for again: an item given up because its reply could not be read
may come back, and an item of whose pairs none passes any more is given up, so that
``--retry-dead`` can ask anew. The replies themselves stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Final

from curator.annotator import Reply
from curator.gemini import read_reply
from curator.judging import Judgement, judge
from curator.ledger import Campaign, ItemChange, Ledger, Outcome, RepliedItem, Result, WorkState
from curator.prompt import Prompt
from curator.refusals import Unavailable
from shared.errors import InputError
from shared.progress import ProgressReport

PAGE: Final = 200
"""Items judged in one transaction."""
LONGEST_ANSWERS: Final = range(1, 21)
"""The values of ``--answer-words``."""


@dataclass(frozen=True, slots=True)
class Rejudged:
    """What judging again changed: items looked at, their pairs, and items that changed sides."""

    items: int = 0
    pairs: int = 0
    gained: int = 0
    lost: int = 0


def prompt_of(campaign: Campaign, answer_words: int | None) -> Prompt:
    """Return the prompt of ``campaign``; its longest answer is looked for where none is given.

    Raises:
        InputError: the prompt is none of this release's.
    """
    if answer_words is not None:
        return Prompt(campaign.questions, answer_words)
    for words in LONGEST_ANSWERS:
        prompt = Prompt(campaign.questions, words)
        if prompt.version == campaign.prompt_version:
            return prompt
    raise InputError(
        f"prompt {campaign.prompt_version} is of another release; say with --answer-words how "
        "long its answers may be"
    )


async def reparse(
    ledger: Ledger, campaign_id: int, prompt: Prompt, now: float, progress: ProgressReport
) -> Rejudged:
    """Judge every kept reply of a campaign again and replace its pairs.

    Raises:
        LedgerFailure: the ledger cannot be written.
    """
    total = Rejudged()
    replied = await ledger.replied_attempts(campaign_id)
    for page in _pages(replied):
        items = await ledger.replied_items(campaign_id, [attempt for _, attempt in page])
        judged = [judge_again(item, campaign_id, prompt, now) for item in items]
        await ledger.replace_pairs([result for results in judged for result in results])
        for item, results in zip(items, judged, strict=True):
            total = _counted(total, item, results)
        progress.advance(len(items))
    return total


def _pages(replied: Sequence[tuple[int, int]]) -> Iterator[list[tuple[int, int]]]:
    """Yield attempts by item, those of ``PAGE`` items at a time."""
    page: list[tuple[int, int]] = []
    for number, (_, attempts) in enumerate(groupby(replied, key=lambda one: one[0]), start=1):
        page.extend(attempts)
        if number % PAGE == 0:
            yield page
            page = []
    if page:
        yield page


def judge_again(item: RepliedItem, campaign_id: int, prompt: Prompt, now: float) -> list[Result]:
    """Return a result for each reply of ``item``; the first with a valid pair gives the pairs."""
    judged = [(attempt_id, _judgement(body, item, prompt)) for attempt_id, body in item.replies]
    best = next((one for _, one in judged if one.verdict.accepted), None)
    state, reason = item.state, item.reason
    if best is not None:
        state, reason = WorkState.DONE, ""
    elif item.state is WorkState.DONE:
        state, reason = WorkState.DEAD, judged[-1][1].reason
    change = ItemChange(campaign_id, item.item.item_id, state, item.item.attempts, reason)
    return [
        Result(
            attempt_id=attempt_id,
            finished_at=now,
            outcome=Outcome.ANSWERED,
            change=change,
            verdict=one.verdict
            if one is best
            else replace(one.verdict, accepted=(), agreements=()),
            facts=one.facts,
        )
        for attempt_id, one in judged
    ]


def _judgement(body: str, item: RepliedItem, prompt: Prompt) -> Judgement:
    try:
        reply = read_reply(body)
    except Unavailable:
        # What is no reply holds no pair, like one whose candidate is missing.
        reply = Reply(body, "", "", 0, 0, 0)
    return judge(
        reply,
        questions=prompt.questions,
        answer_words=prompt.answer_words,
        metadata=item.item.listing.metadata,
    )


def _counted(total: Rejudged, item: RepliedItem, results: Sequence[Result]) -> Rejudged:
    pairs = sum(len(one.verdict.accepted) for one in results if one.verdict)
    was_done = item.state is WorkState.DONE
    return Rejudged(
        items=total.items + 1,
        pairs=total.pairs + pairs,
        gained=total.gained + (pairs > 0 and not was_done),
        lost=total.lost + (pairs == 0 and was_done),
    )
