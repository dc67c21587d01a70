"""What services counted for requests, from which those of others are told; what was never told."""

from __future__ import annotations

import sqlite3
from typing import Final

from curator.ledger.records.requests import Outcome
from shared.endpoints.models.asked_settings import AskedSettings
from shared.endpoints.models.tier import Tier
from shared.endpoints.request import Measure
from shared.endpoints.token_estimates import CountedReply

LATEST: Final = 5_000
"""Requests that are looked at, however many a ledger holds."""
_IMAGES: Final = "iif(views = '', 1, length(views) - length(replace(views, ',', '')) + 2)"
"""How many images a request had: ``views`` holds the further ones, with commas between."""
_COUNTED: Final = f"""
SELECT model, thinking, image_detail, characters, longest_px,
  iif(question IS NULL, questions, 0), {_IMAGES},
  input_tokens, image_tokens, output_tokens, thought_tokens
FROM attempts JOIN campaigns ON campaigns.id = campaign_id
WHERE attempts.id > (SELECT max(id) FROM attempts) - ? AND characters > 0 AND input_tokens > 0
ORDER BY attempts.id
"""  # noqa: S608 - of constants alone
_LOST: Final = f"""
SELECT tier, characters, longest_px, iif(question IS NULL, questions, 0), {_IMAGES}
FROM attempts JOIN campaigns ON campaigns.id = campaign_id
WHERE campaign_id = ? AND outcome IN (?, ?)
  AND attempts.id NOT IN (SELECT attempt_id FROM batch_requests)
"""  # noqa: S608 - of constants alone


def counted_replies(connection: sqlite3.Connection) -> list[CountedReply]:
    """Return what the service counted for the latest requests, oldest first."""
    return [
        CountedReply(model, AskedSettings(thinking, detail), Measure(*measure), *tokens)
        for model, thinking, detail, *measure, tokens in (
            (*row[:7], row[7:]) for row in connection.execute(_COUNTED, (LATEST,))
        )
    ]


def lost_requests(connection: sqlite3.Connection, campaign_id: int) -> list[tuple[Tier, Measure]]:
    """Return the requests of a campaign that may have been billed and never told what they took.

    Those that batch jobs hold are not lost. Ledgers of before ``characters`` have 0 of them.
    """
    lost = (campaign_id, Outcome.OPEN.value, Outcome.UNANSWERED.value)
    return [(Tier(tier), Measure(*measure)) for tier, *measure in connection.execute(_LOST, lost)]
