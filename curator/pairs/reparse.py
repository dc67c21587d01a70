"""Judges the kept replies of a campaign again, by the parser and the rules of this release.

What was paid for is never asked for again: an item given up because its reply could not be read
may come back, and an item of whose pairs none passes any more is given up, so that
``--retry-dead`` can ask again. What replies tell of their model and its life, and of tokens by
kind, is read again too, for earlier releases kept less of it. The replies stay as they are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from operator import itemgetter
from typing import Final

from curator.judging.agreeing.listing_map import ListingMap
from curator.judging.judge import Judgement, judge, judge_answer
from curator.judging.rules import Verdict
from curator.ledger import (
    Campaign,
    ItemChange,
    KeptReply,
    Ledger,
    Outcome,
    RepliedItem,
    RepliedPair,
    Result,
    WorkState,
    tokens_of,
)
from curator.pairs.second_opinions import opinion_change
from curator.prompts.prompt import Prompt
from curator.prompts.prompts import Prompts, prompts_from
from shared.endpoints.protocols.annotator import Reply
from shared.endpoints.protocols.registry import Service
from shared.endpoints.refusals.refusal import Unavailable
from shared.errors import InputError
from shared.program.reporting.progress import ProgressReport
from shared.value_class import value_class

PAGE: Final = 200
"""Items judged in one transaction."""
LONGEST_ANSWERS: Final = range(1, 21)
"""The values of ``--answer-words``."""


@value_class
class Rules:
    """By what replies are judged: the prompt, and which fields of a listing answer what."""

    prompts: Prompts
    listing_map: ListingMap | None


@value_class
class Rejudged:
    """What judging again changed: items looked at, their pairs, and items that changed sides."""

    items: int = 0
    pairs: int = 0
    gained: int = 0
    lost: int = 0


def prompts_of(campaign: Campaign, answer_words: int | None) -> Prompts:
    """Return the prompts of ``campaign``, with another longest answer where one is given.

    Ledgers of before do not hold them: there, the longest answer is looked for.

    Raises:
        InputError: the prompt is none of this release's.
    """
    if campaign.prompts:
        source = f"prompt {campaign.prompt_version}"
        return prompts_from(campaign.prompts, source).with_answers_of(answer_words)
    if answer_words is not None:
        return Prompts.alone(Prompt(campaign.questions, answer_words))
    for words in LONGEST_ANSWERS:
        prompt = Prompt(campaign.questions, words)
        if prompt.version == campaign.prompt_version:
            return Prompts.alone(prompt)
    raise InputError(
        f"prompt {campaign.prompt_version} is of another release; say with --answer-words how "
        "long its answers may be"
    )


async def reparse(
    ledger: Ledger,
    campaign_id: int,
    rules: Rules,
    now: float,
    progress: ProgressReport,
    *,
    only: Collection[int] | None = None,
) -> Rejudged:
    """Judge every kept reply of a campaign again, or of ``only`` some items; replace the pairs.

    Raises:
        LedgerFailure: the ledger cannot be written.
    """
    total = Rejudged()
    replied = await ledger.pages.replied_attempts(campaign_id)
    if only is not None:
        replied = [(item_id, attempt) for item_id, attempt in replied if item_id in only]
    for page in _pages(replied):
        items = await ledger.pages.replied_items(campaign_id, [attempt for _, attempt in page])
        judged = [judge_again(item, campaign_id, rules, now) for item in items]
        await ledger.replace_pairs([result for results in judged for result in results])
        for item, results in zip(items, judged, strict=True):
            total = _counted(total, item, results)
        progress.advance(len(items))
    await _reparse_opinions(ledger, campaign_id, rules.prompts, now)
    return total


async def _reparse_opinions(ledger: Ledger, campaign_id: int, prompts: Prompts, now: float) -> None:
    """Read the replies to single questions again, and compare them with the pairs as they are."""
    after = 0
    while pairs := await ledger.pages.replied_pairs(campaign_id, after, PAGE):
        after = pairs[-1].reply.attempt_id
        await ledger.replace_opinions([_opinion(pair, campaign_id, prompts, now) for pair in pairs])


def _opinion(pair: RepliedPair, campaign_id: int, prompts: Prompts, now: float) -> Result:
    language = prompts.of(pair.image, pair.listing_id).language
    reply = _reply(pair.reply)
    judgement = judge_answer(reply, pair.answer, language)
    waits = WorkState.PENDING if pair.state is WorkState.PENDING else WorkState.DEAD
    change = opinion_change(
        campaign_id,
        pair,
        WorkState.DONE if judgement.is_usable else waits,
        failures=pair.attempts,
        reason=judgement.reason,
        judgement=judgement,
    )
    return Result(
        pair.reply.attempt_id,
        now,
        Outcome.ANSWERED,
        change=change,
        facts=judgement.facts,
        tokens=tokens_of(reply),
        model_version=reply.model,
        model_status=reply.status,
    )


def _pages(replied: Sequence[tuple[int, int]]) -> Iterator[list[tuple[int, int]]]:
    """Yield attempts by item, those of ``PAGE`` items at a time."""
    page: list[tuple[int, int]] = []
    for number, (_, attempts) in enumerate(groupby(replied, key=itemgetter(0)), start=1):
        page.extend(attempts)
        if number % PAGE == 0:
            yield page
            page = []
    if page:
        yield page


def judge_again(item: RepliedItem, campaign_id: int, rules: Rules, now: float) -> list[Result]:
    """Return a result for each reply of ``item``.

    The pairs come from the reply that gave the present ones, if it still has a valid one; else
    from the first that has.
    """
    read = [(kept.attempt_id, _reply(kept)) for kept in item.replies]
    views = {kept.attempt_id: kept.views for kept in item.replies}
    judged = [
        (attempt_id, reply, _judgement(reply, item, rules, views[attempt_id]))
        for attempt_id, reply in read
    ]
    usable = {attempt_id: judgement for attempt_id, _, judgement in judged if judgement.is_usable}
    best = usable.get(item.maker_id) or next(iter(usable.values()), None)
    state, reason = item.state, item.reason
    if best is not None:
        state, reason = WorkState.DONE, ""
    elif item.state is WorkState.DONE:
        state, reason = WorkState.DEAD, judged[-1][2].reason
    change = ItemChange(campaign_id, item.item.item_id, state, item.item.attempts, reason)
    return [
        Result(
            attempt_id=attempt_id,
            finished_at=now,
            outcome=Outcome.ANSWERED,
            change=change,
            verdict=(judgement.verdict if judgement is best else _without_pairs(judgement.verdict)),
            facts=judgement.facts,
            tokens=tokens_of(reply),
            model_version=reply.model,
            model_status=reply.status,
            views=views[attempt_id],
        )
        for attempt_id, reply, judgement in judged
    ]


def _without_pairs(verdict: Verdict | None) -> Verdict | None:
    return verdict and replace(verdict, accepted=(), agreements=())


def _judgement(reply: Reply, item: RepliedItem, rules: Rules, views: Sequence[int]) -> Judgement:
    pictures = (1, *(number for number, view in enumerate(views, start=2) if view))
    listing = item.item.listing
    image = listing.image.path
    return judge(
        reply,
        rules.prompts.of_listing(listing),
        image=image,
        metadata=listing.metadata,
        listing_map=rules.listing_map,
        pictures=pictures if views else None,
    )


def _reply(stored: KeptReply) -> Reply:
    try:
        return Service(stored.annotator).protocol.read_reply(stored.body)
    except Unavailable:
        # What is no reply holds no pair, like one whose candidate is missing.
        return Reply(stored.body, "", "", 0, 0, 0)


def _counted(total: Rejudged, item: RepliedItem, results: Sequence[Result]) -> Rejudged:
    pairs = sum(len(result.verdict.accepted) for result in results if result.verdict)
    was_done = item.state is WorkState.DONE
    return Rejudged(
        items=total.items + 1,
        pairs=total.pairs + pairs,
        gained=total.gained + (pairs > 0 and not was_done),
        lost=total.lost + (pairs == 0 and was_done),
    )
