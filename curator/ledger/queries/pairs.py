"""The pairs of campaigns, page by page, as rows of the files that they are exported to.

Each table is read by itself along its key, and joined here: an image, a request and a prompt's
version belong to several pairs, and millions of pairs are exported at a time.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

from curator.ledger.database.plain import connected
from curator.ledger.errors import translated
from curator.ledger.records.work import WorkState
from curator.prompts.reply_fields import STYLE
from shared.records import pair_id
from shared.records.pair_rows import ExtraCells, PairRow

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
SELECT item_id, campaign_id, question, answer, difficulty, agreement, attempt_id, style, fields
FROM pairs WHERE campaign_id = ? AND item_id > ? AND item_id <= ? ORDER BY item_id, position
"""
_MODELS: Final = """
SELECT id, model, model_version FROM attempts WHERE id IN (
  SELECT attempt_id FROM pairs WHERE campaign_id = ? AND item_id > ? AND item_id <= ?
)
"""
_OPINIONS: Final = """
SELECT campaign_id, item_id, question, answer, agrees FROM second_opinions
WHERE campaign_id = ? AND item_id > ? AND item_id <= ? AND state = ?
"""
_AGREES: Final = ("disagrees", "agrees")
_NOT_KNOWN: Final = ("", "")
_ABOUT: Final = itemgetter(0, 1)
# As ``PairRow._make``, without a call of Python's for each of millions.
_NEW_ROW: Final[Callable[[tuple[object, ...]], PairRow]] = partial(tuple.__new__, PairRow)


def pages_of_pairs(
    path: Path, campaigns: PromptVersions, product_of: ProductOf, models: Collection[str] = ()
) -> Iterator[list[PairRow]]:
    """Yield the pairs of ``campaigns`` in the ledger at ``path``, in the order of the images.

    Of several campaigns, the first that asked a question about an image counts. Of ``models``
    alone, where some are given: those that were asked, or that answered. Each page is of one
    moment, and may be empty; between two of them, nobody is held up.

    Raises:
        LedgerFailure: it cannot be read.
    """
    after = 0
    with translated(sqlite3.Error), closing(connected(path, "ro")) as connection:
        while True:
            connection.execute("BEGIN")
            done = _next_done(connection, campaigns, after)
            if not done:
                return
            page = _page(connection, campaigns, after, max(done))
            connection.execute("COMMIT")
            yield list(_rows(page, done, campaigns, product_of, models))
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


@dataclass(frozen=True, slots=True)
class _Page:
    """What is read for one page: rows of pairs, and what they name, by that.

    ``models`` has what was asked and what answered, by the request; ``opinions`` the second answer
    and whether it agrees, by campaign, image and question.
    """

    pairs: list[tuple[Any, ...]]
    items: dict[int, tuple[str, str, str]]
    models: dict[int, tuple[str, str]]
    opinions: dict[tuple[int, int, str], tuple[str, str]]


def _page(
    connection: sqlite3.Connection, campaigns: Collection[int], after: int, last: int
) -> _Page:
    """Read what there is about the images after ``after`` and up to ``last``."""
    items = {row[0]: row[1:] for row in connection.execute(_ITEMS, (after, last))}
    page = _Page([], items, {}, {})
    for campaign_id in sorted(campaigns):
        bounds = (campaign_id, after, last)
        page.pairs.extend(connection.execute(_PAIRS, bounds))
        page.models.update((row[0], row[1:]) for row in connection.execute(_MODELS, bounds))
        opinions = connection.execute(_OPINIONS, (*bounds, WorkState.DONE))
        page.opinions.update((row[:3], (row[3], _AGREES[row[4]])) for row in opinions)
    if len(campaigns) > 1:
        page.pairs.sort(key=itemgetter(0))
    return page


def _rows(
    page: _Page,
    done: Mapping[int, Collection[int]],
    campaigns: PromptVersions,
    product_of: ProductOf,
    models: Collection[str],
) -> Iterator[PairRow]:
    """Yield the rows of a page; an image's follow each other."""
    several = len(campaigns) > 1
    asked: set[tuple[int, str]] = set()
    for (item_id, campaign_id), pairs in groupby(page.pairs, _ABOUT):
        if campaign_id not in done.get(item_id, ()):
            continue
        image, listing_id, named = page.items[item_id]
        version = campaigns[campaign_id](image, listing_id)
        product = product_of(listing_id, named) or None
        for _, _, question, answer, difficulty, agreement, attempt_id, style, fields in pairs:
            model, answered_by = page.models.get(attempt_id, _NOT_KNOWN)
            if models and model not in models and answered_by not in models:
                continue
            if several:
                # Questions differ within a campaign.
                if (item_id, question) in asked:
                    continue
                asked.add((item_id, question))
            second, opinion = page.opinions.get((campaign_id, item_id, question), _NOT_KNOWN)
            row = (
                pair_id(image, question),
                question,
                answer,
                image,
                None,
                difficulty,
                answered_by or model,
                version,
                listing_id,
                agreement,
                None,
                second,
                opinion,
                None,
                None,
                None,
                None,
                None,
                product,
                None,
                _extra(style, fields) if style or fields else (),
            )
            yield _NEW_ROW(row)


def _extra(style: str, fields: str | None) -> ExtraCells:
    named = tuple(json.loads(fields).items()) if fields else ()
    return ((STYLE, style), *named) if style else named
