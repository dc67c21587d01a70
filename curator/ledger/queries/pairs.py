"""The pairs of campaigns, page by page, as columns of the files that they are exported to.

Each table is read by itself along its key, and joined here, column by column: an image, a request
and a prompt's version belong to several pairs, and millions of pairs are exported at a time.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import repeat
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

from curator.ledger.database.plain import connected
from curator.ledger.errors import translated
from curator.ledger.records.work import WorkState
from curator.prompts.reply_fields import STYLE
from shared.records import pair_ids
from shared.records.pair_rows import ExtraCells, PairColumns, PairRow, columns_of, filled_columns
from shared.value_class import value_class

PromptVersions = Mapping[int, Callable[[str, str], str]]
"""For campaigns by id, what gives the version of an image's prompt, by its path and listing."""
ProductOf = Callable[[str, str], str]
"""What gives the product of a listing, by its id and what it says itself; "" for none."""
PAGE: Final = 1_000
"""Images whose pairs are read at a time."""
_DONE: Final = """
SELECT item_id FROM work WHERE campaign_id = ? AND item_id > ? AND state IN (?, ?)
ORDER BY item_id LIMIT ?
"""
_ITEMS: Final = "SELECT id, image_path, listing_id, product FROM items WHERE id > ? AND id <= ?"
_PAIRS: Final = """
SELECT item_id, campaign_id, question, answer, {difficulty}, {agreement}, {attempt_id},
  {style}, {fields}
FROM pairs WHERE campaign_id = ? AND item_id > ? AND item_id <= ? ORDER BY item_id, position
"""
_NEEDED_FOR: Final = {
    "difficulty": "difficulty",
    "agreement": "agreement",
    "attempt_id": "model",
    "style": "extra",
    "fields": "extra",
}
"""Columns of the ledger, each of which takes a tenth of what reading a pair does, and for what."""
_MODELS: Final = """
SELECT id, model, model_version FROM attempts WHERE id IN (
  SELECT attempt_id FROM pairs WHERE campaign_id = ? AND item_id > ? AND item_id <= ?
)
"""
_OPINIONS: Final = """
SELECT campaign_id, item_id, question, answer, agrees FROM second_opinions
WHERE campaign_id = ? AND item_id > ? AND item_id <= ? AND state = ?
"""
_OPINION: Final = frozenset({"second_answer", "second_opinion"})
_AGREES: Final = ("disagrees", "agrees")
_NOT_KNOWN: Final = ("", "")


def pages_of_pairs(
    path: Path,
    campaigns: PromptVersions,
    product_of: ProductOf,
    models: Collection[str] = (),
    *,
    wanted: Collection[str] = PairRow._fields,
) -> Iterator[PairColumns]:
    """Yield the pairs of ``campaigns`` in the ledger at ``path``, in the order of the images.

    Of several campaigns, the first that asked a question about an image counts. Of ``models``
    alone, where some are given: those that were asked, or that answered. Each page is of one
    moment, and may be empty; between two of them, nobody is held up. Columns that are not
    ``wanted`` may hold what is usual instead.

    Raises:
        LedgerFailure: it cannot be read.
    """
    after = 0
    needed = {*wanted, "model"} if models else {*wanted}
    with translated(sqlite3.Error), closing(connected(path, "ro")) as connection:
        while True:
            connection.execute("BEGIN")
            done = _next_done(connection, campaigns, after)
            if not done:
                return
            page = _page(connection, campaigns, done, after, needed)
            connection.execute("COMMIT")
            yield _columns(page, _kept(page, campaigns, models), campaigns, product_of)
            after = max(done)


def _next_done(
    connection: sqlite3.Connection, campaigns: Collection[int], after: int
) -> dict[int, set[int]]:
    """Return the next images of which some campaign is done, each with the campaigns that are."""
    done: dict[int, set[int]] = {}
    for campaign_id in campaigns:
        bounds = (campaign_id, after, WorkState.DONE, WorkState.ALONG, PAGE)
        for (item_id,) in connection.execute(_DONE, bounds):
            done.setdefault(item_id, set()).add(campaign_id)
    return {item_id: done[item_id] for item_id in sorted(done)[:PAGE]}


@value_class
class _Page:
    """What is read for one page: pairs, image by image, and what they name, by that.

    ``models`` has what was asked and what answered, by the request; ``opinions`` the second answer
    and whether it agrees, by campaign, image and question.
    """

    pairs: list[tuple[Any, ...]]
    items: dict[int, tuple[str, str, str]]
    models: dict[int, tuple[str, str]]
    opinions: dict[tuple[int, int, str], tuple[str, str]]


def _page(
    connection: sqlite3.Connection,
    campaigns: Collection[int],
    done: Mapping[int, Collection[int]],
    after: int,
    needed: Collection[str],
) -> _Page:
    """Read what there is about the images after ``after`` that campaigns are done with."""
    last = max(done)
    items = {row[0]: row[1:] for row in connection.execute(_ITEMS, (after, last))}
    page = _Page([], items, {}, {})
    statement = _PAIRS.format_map(
        {name: name if what in needed else "NULL" for name, what in _NEEDED_FOR.items()}
    )
    for campaign_id in sorted(campaigns):
        bounds = (campaign_id, after, last)
        here = {item_id for item_id, ids in done.items() if campaign_id in ids}
        pairs = connection.execute(statement, bounds).fetchall()
        are_done = here.issuperset(map(itemgetter(0), pairs))
        page.pairs.extend(pairs if are_done else (row for row in pairs if row[0] in here))
        if "model" in needed:
            page.models.update((row[0], row[1:]) for row in connection.execute(_MODELS, bounds))
        if not _OPINION.isdisjoint(needed):
            opinions = connection.execute(_OPINIONS, (*bounds, WorkState.DONE))
            page.opinions.update((row[:3], (row[3], _AGREES[row[4]])) for row in opinions)
    if len(campaigns) > 1:
        page.pairs.sort(key=itemgetter(0))
    return page


def _kept(
    page: _Page, campaigns: Collection[int], models: Collection[str]
) -> Sequence[tuple[Any, ...]]:
    """Return the pairs of ``models``, if any, and of each question the first campaign's."""
    pairs = page.pairs
    if models:
        named = {request for request, names in page.models.items() if {*names} & {*models}}
        pairs = [row for row in pairs if row[6] in named]
    if len(campaigns) > 1:
        # Questions differ within a campaign.
        first: dict[tuple[int, str], tuple[Any, ...]] = {}
        for row in pairs:
            first.setdefault((row[0], row[2]), row)
        pairs = list(first.values())
    return pairs


def _columns(
    page: _Page,
    pairs: Sequence[tuple[Any, ...]],
    campaigns: PromptVersions,
    product_of: ProductOf,
) -> PairColumns:
    """Return the columns of a page's ``pairs``."""
    if not pairs:
        return columns_of([])
    item_ids, campaign_ids, questions, answers, difficulties, agreements, *more = zip(
        *pairs, strict=True
    )
    requests, styles, fields = more
    about = list(zip(item_ids, campaign_ids, strict=True))
    facts = {}
    for each in dict.fromkeys(about):
        image, listing_id, named = page.items[each[0]]
        version = campaigns[each[1]](image, listing_id)
        facts[each] = (image, listing_id, version, product_of(listing_id, named) or None)
    filenames, listing_ids, versions, products = zip(*map(facts.__getitem__, about), strict=True)
    models = {
        request: answered_by or asked for request, (asked, answered_by) in page.models.items()
    }
    keys = zip(campaign_ids, item_ids, questions, strict=True)
    seconds, opinions = zip(*map(page.opinions.get, keys, repeat(_NOT_KNOWN)), strict=True)
    is_plain = not (any(styles) or any(fields))
    return filled_columns(
        len(pairs),
        id=pair_ids(filenames, questions),
        question=questions,
        answer=answers,
        filename=filenames,
        difficulty=difficulties,
        model=list(map(models.get, requests, repeat(""))),
        prompt_version=versions,
        listing_id=listing_ids,
        agreement=agreements,
        second_answer=seconds,
        second_opinion=opinions,
        product=products,
        extra=((),) * len(pairs) if is_plain else list(map(_extra, styles, fields)),
    )


def _extra(style: str, fields: str | None) -> ExtraCells:
    named = tuple(json.loads(fields).items()) if fields else ()
    return ((STYLE, style), *named) if style else named
