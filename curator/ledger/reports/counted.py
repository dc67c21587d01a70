"""What services counted for the latest requests, from which the tokens of further ones are told."""

from __future__ import annotations

import sqlite3
from typing import Final

from curator.annotators.token_estimates import CountedReply
from curator.models.asked_settings import AskedSettings
from curator.prompts.request import Measure

LATEST: Final = 5_000
"""Requests that are looked at, however many a ledger holds."""


def counted_replies(connection: sqlite3.Connection) -> list[CountedReply]:
    """Return what the service counted for the latest requests, oldest first."""
    statement = (
        "SELECT model, thinking, image_detail, characters, longest_px,"
        " iif(question IS NULL, questions, 0), input_tokens, image_tokens, output_tokens,"
        " thought_tokens FROM attempts JOIN campaigns ON campaigns.id = campaign_id"
        " WHERE attempts.id > (SELECT max(id) FROM attempts) - ?"
        " AND characters > 0 AND input_tokens > 0 ORDER BY attempts.id"
    )
    return [
        CountedReply(model, AskedSettings(thinking, detail), Measure(*measure), *tokens)
        for model, thinking, detail, *measure, tokens in (
            (*row[:6], row[6:]) for row in connection.execute(statement, (LATEST,))
        )
    ]
