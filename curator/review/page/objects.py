"""Pairs, and what people said of them, as the page's JSON; pure."""

from __future__ import annotations

from typing import Any

from curator.ledger.records.review import CampaignFacets, Review, SeenPair
from shared.questions.types import question_type


def pair_object(pair: SeenPair) -> dict[str, Any]:
    """Return what is shown of a pair, or of an image that has none."""
    item = pair.place.item_id
    return {
        "campaign": pair.campaign_id,
        "item": item,
        "number": pair.place.number,
        "thumbnail": f"thumbnails/{item}",
        "picture": f"pictures/{item}",
        "listing_id": pair.listing_id,
        "image_path": pair.image_path,
        "listing": dict(pair.metadata),
        "question": pair.question,
        "answer": pair.answer,
        "type": question_type(pair.question) if pair.question else "",
        "difficulty": pair.difficulty,
        "style": pair.style,
        "agreement": pair.agreement,
        "model": pair.model,
        "prompt_version": pair.prompt_version,
        "opinion": pair.opinion,
        "second_answer": pair.second_answer,
        "rule": pair.rule,
        "reason": pair.reason,
        "reviews": [review_object(review) for review in pair.reviews],
    }


def review_object(review: Review) -> dict[str, Any]:
    """Return a person's verdict."""
    return {
        "reviewer": review.reviewer,
        "decision": review.decision.value,
        "correction": review.correction,
        "reason": review.reason,
        "decided_at": review.decided_at,
    }


def facets_object(campaign: CampaignFacets) -> dict[str, Any]:
    """Return what the pairs of a campaign can be told apart by."""
    return {
        "id": campaign.campaign_id,
        "prompt_version": campaign.prompt_version,
        "questions": campaign.questions,
        "images": campaign.images,
        "pairs": campaign.pairs,
        "styles": list(campaign.styles),
        "models": dict(campaign.models),
        "rules": dict(campaign.rules),
    }
