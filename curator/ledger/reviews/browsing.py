"""Pairs as people look at them: page by page, by what they hold and by what is known of them.

A page begins where the last one ended (keyset pagination), and looks at a bounded number of images:
where few pairs are let through, it ends early and says where to go on. So no answer takes long,
however large the ledger, and no index is needed beside those that a run keeps anyway.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from curator.ledger.records.review import (
    CampaignFacets,
    Decision,
    PairFilter,
    PairKey,
    PairPage,
    Place,
    Review,
    SeenPair,
    Shown,
)
from curator.ledger.reviews.conditions import (
    MADE_BY,
    NUMBERS,
    OPINION,
    conditions_of,
    teach_conditions,
)

MOST_ITEMS: Final = 50_000
"""Images that are looked at for one page: with five pairs each, a third of a second."""

_LISTING: Final = "i.listing_id, i.image_path, i.metadata"
COLUMNS: Final = {
    Shown.ACCEPTED: (
        f"p.campaign_id, p.item_id, {{number}} AS number, {_LISTING}, p.question, p.answer, "
        f"p.difficulty, p.agreement, p.style, {MADE_BY} AS model, {OPINION} AS opinion, "
        "coalesce(o.answer, '') AS second_answer, '' AS rule, '' AS reason"
    ),
    Shown.REFUSED: (
        f"p.campaign_id, p.item_id, {{number}} AS number, {_LISTING}, p.question, p.answer, "
        f"'' AS difficulty, '' AS agreement, '' AS style, {MADE_BY} AS model, '' AS opinion, "
        "'' AS second_answer, p.rule, '' AS reason"
    ),
    **dict.fromkeys(
        (Shown.GIVEN_UP, Shown.WAITING),
        f"p.campaign_id, p.item_id, {{number}} AS number, {_LISTING}, '' AS question, "
        "'' AS answer, '' AS difficulty, '' AS agreement, '' AS style, '' AS model, '' AS opinion, "
        "'' AS second_answer, '' AS rule, p.reason",
    ),
}
"""What is told of each row."""


def pair_page(
    connection: sqlite3.Connection,
    wanted: PairFilter,
    after: Place,
    limit: int,
    most_items: int = MOST_ITEMS,
) -> PairPage:
    """Return up to ``limit`` rows after ``after``, in the order of images and their pairs."""
    teach_conditions(connection)
    conditions = conditions_of(wanted)
    end, last = _reach(connection, wanted, after, most_items)
    number = NUMBERS[wanted.shown]
    rows = connection.execute(
        f"SELECT {COLUMNS[wanted.shown].format(number=number)} FROM {conditions.source} "  # noqa: S608
        f"WHERE p.item_id BETWEEN :first AND :end AND (p.item_id > :first OR {number} > :number) "
        f"AND {conditions.where} ORDER BY p.item_id, number LIMIT :limit",
        {
            **conditions.parameters,
            "first": after.item_id,
            "number": after.number,
            "end": end,
            "limit": limit,
        },
    ).fetchall()
    pairs = with_reviews(connection, with_prompts(connection, map(seen_pair, rows)))
    if len(pairs) == limit:
        return PairPage(pairs, pairs[-1].place, pairs[-1].place.item_id - after.item_id + 1)
    looked_at = max(0, end - after.item_id)
    return PairPage(pairs, None if end >= last else Place(end + 1), looked_at)


def pairs_at(
    connection: sqlite3.Connection, campaign_id: int, keys: Sequence[PairKey]
) -> dict[PairKey, SeenPair]:
    """Return those of the pairs that the campaign still has."""
    conditions = conditions_of(PairFilter(campaign_id))
    number = NUMBERS[Shown.ACCEPTED]
    rows = connection.execute(
        f"SELECT {COLUMNS[Shown.ACCEPTED].format(number=number)} FROM {conditions.source} "  # noqa: S608
        f"WHERE p.item_id IN (SELECT value FROM json_each(:items)) AND {conditions.where}",
        {**conditions.parameters, "items": json.dumps([key.item_id for key in keys])},
    ).fetchall()
    wanted = set(keys)
    pairs = [pair for pair in map(seen_pair, rows) if pair.key in wanted]
    return {pair.key: pair for pair in with_reviews(connection, with_prompts(connection, pairs))}


def count_pairs(
    connection: sqlite3.Connection,
    wanted: PairFilter,
    after: Place,
    most_items: int = MOST_ITEMS,
) -> tuple[int, Place | None]:
    """Return how many rows a further stretch of images has, and where the next one begins."""
    teach_conditions(connection)
    conditions = conditions_of(wanted)
    end, last = _reach(connection, wanted, after, most_items)
    (count,) = connection.execute(
        f"SELECT count(*) FROM {conditions.source} "  # noqa: S608
        f"WHERE p.item_id BETWEEN :first AND :end AND {conditions.where}",
        {**conditions.parameters, "first": after.item_id, "end": end},
    ).fetchone()
    return count, None if end >= last else Place(end + 1)


def _reach(
    connection: sqlite3.Connection, wanted: PairFilter, after: Place, most_items: int
) -> tuple[int, int]:
    """Return the last image that this page looks at, and the last one that there is."""
    table = {Shown.ACCEPTED: "pairs", Shown.REFUSED: "rejected_pairs"}.get(wanted.shown, "work")
    (last,) = connection.execute(
        f"SELECT coalesce(max(item_id), 0) FROM {table} WHERE campaign_id = ?",  # noqa: S608
        (wanted.campaign_id,),
    ).fetchone()
    return min(last, after.item_id + most_items - 1), last


def seen_pair(row: Any) -> SeenPair:  # noqa: ANN401 - sqlite3 types no columns of a row
    """Return the pair that a row of ``COLUMNS`` holds."""
    return SeenPair(
        campaign_id=row["campaign_id"],
        place=Place(row["item_id"], row["number"]),
        listing_id=row["listing_id"],
        image_path=row["image_path"],
        metadata=json.loads(row["metadata"]),
        question=row["question"],
        answer=row["answer"],
        difficulty=row["difficulty"],
        agreement=row["agreement"],
        style=row["style"],
        model=row["model"],
        opinion=row["opinion"],
        second_answer=row["second_answer"],
        rule=row["rule"],
        reason=row["reason"],
    )


def with_prompts(connection: sqlite3.Connection, pairs: Iterable[SeenPair]) -> tuple[SeenPair, ...]:
    """Return the pairs with the versions of their prompts."""
    versions = {
        row[0]: _version_of(row[1], json.loads(row[2]))
        for row in connection.execute("SELECT id, prompt_version, prompts FROM campaigns")
    }
    return tuple(
        replace(pair, prompt_version=versions[pair.campaign_id](pair.image_path, pair.listing_id))
        for pair in pairs
    )


def _version_of(version: str, prompts: Sequence[Any]) -> Callable[[str, str], str]:
    if len(prompts) < 2:  # noqa: PLR2004 - of several, each image has its own
        return lambda *_: version
    # Prompts take pydantic, which `curator status` does without.
    from curator.prompts.prompts import prompts_from  # noqa: PLC0415

    parts = prompts_from(prompts, f"prompt {version}")
    return lambda image, listing_id: parts.of(image, listing_id).version


def prompts_asked(connection: sqlite3.Connection) -> list[Mapping[str, Any]]:
    """Return the prompts of all campaigns, as they are kept."""
    rows = connection.execute("SELECT prompts FROM campaigns ORDER BY id")
    return [prompt for (prompts,) in rows for prompt in json.loads(prompts)]


def with_reviews(connection: sqlite3.Connection, pairs: Sequence[SeenPair]) -> tuple[SeenPair, ...]:
    """Return the pairs with what people decided about them, in the order of their names."""
    items = sorted({pair.place.item_id for pair in pairs})
    rows = connection.execute(
        "SELECT * FROM reviews WHERE item_id IN (SELECT value FROM json_each(?)) ORDER BY reviewer",
        (json.dumps(items),),
    )
    reviews: dict[PairKey, list[Review]] = {}
    for review in map(review_of, rows):
        reviews.setdefault(review.key, []).append(review)
    return tuple(replace(pair, reviews=tuple(reviews.get(pair.key, ()))) for pair in pairs)


def review_of(row: Any) -> Review:  # noqa: ANN401 - sqlite3 types no columns of a row
    """Return what a row of ``reviews`` holds."""
    return Review(
        PairKey(row["item_id"], row["question"], row["answer"]),
        row["reviewer"],
        Decision(row["decision"]),
        row["decided_at"],
        row["correction"],
        row["reason"],
        row["drawn"],
        row["drawn_seed"],
        row["position"],
    )


def facets(connection: sqlite3.Connection) -> list[CampaignFacets]:
    """Return what the campaigns of a ledger have, oldest first; all of it is tallied."""
    images = dict(
        connection.execute("SELECT campaign_id, sum(items) FROM work_tallies GROUP BY 1").fetchall()
    )
    told: dict[int, tuple[dict[str, int], dict[str, int]]] = {}
    for campaign_id, rule, model, pairs in connection.execute(
        "SELECT campaign_id, rule, model, pairs FROM pair_tallies WHERE pairs > 0 "
        "ORDER BY pairs DESC"
    ):
        models, rules = told.setdefault(campaign_id, ({}, {}))
        counts = rules if rule else models
        name = rule or model
        counts[name] = counts.get(name, 0) + pairs
    campaigns = connection.execute(
        "SELECT id, prompt_version, questions, prompts FROM campaigns ORDER BY id"
    )
    return [
        CampaignFacets(
            campaign_id,
            version,
            questions,
            images.get(campaign_id, 0),
            sum(told.get(campaign_id, ({}, {}))[0].values()),
            tuple(sorted({style for part in json.loads(prompts) for style in part["styles"]})),
            *told.get(campaign_id, ({}, {})),
        )
        for campaign_id, version, questions, prompts in campaigns
    ]


def image_path(connection: sqlite3.Connection, item_id: int) -> str | None:
    """Return an item's image, relative to the images folder; ``None`` if there is no such."""
    row = connection.execute("SELECT image_path FROM items WHERE id = ?", (item_id,)).fetchone()
    return None if row is None else str(row[0])


def images_dirs(connection: sqlite3.Connection) -> list[str]:
    """Return the images folders of the imported catalogues, latest first."""
    rows = connection.execute("SELECT images_dir FROM sources ORDER BY imported_at DESC")
    return [path for (path,) in rows]
