"""What is logged of single items, under a name that can be kept off the terminal."""

from __future__ import annotations

import json
from typing import Final

from curator.campaign.waiting.jobs import Job
from curator.judging.judge import Judgement
from curator.ledger import Campaign
from curator.ledger.database.coding import models_text
from curator.ledger.records.logged import LOGGED_CHARACTERS
from curator.prompts.prompts import Prompts
from shared.endpoints.pool.lease import Lease
from shared.endpoints.protocols.annotator import Reply
from shared.program.reporting.event_log import EventLog
from shared.program.reporting.events import info_writer

_LOGGER: Final = "curator.items"


def log_campaign(campaign_id: int, campaign: Campaign) -> None:
    """Log what a run asks for, so that a ledger that is lost can be made of its log again."""
    EventLog(_LOGGER).info(
        "campaign",
        campaign=campaign_id,
        annotator=campaign.annotator,
        models=json.loads(models_text(campaign.models)),
        prompt_version=campaign.prompt_version,
        questions=campaign.questions,
        prompts=campaign.prompts,
    )


class ItemLog:
    """The log of one run's items."""

    def __init__(self, prompts: Prompts) -> None:
        self._prompts = prompts
        self._log = EventLog(_LOGGER)
        self._write_reply = info_writer(_LOGGER, "reply")

    def reply(
        self, item: Job, reply: Reply, judgement: Judgement, *, lease: Lease, attempt_id: int
    ) -> None:
        """Log a reply to the request of ``lease`` and what it is worth."""
        verdict = judgement.verdict
        counts = (
            {"accepted": len(verdict.accepted), "rejected": len(verdict.rejected)}
            if verdict is not None
            else {}
        )
        self._write_reply(
            listing=item.listing.listing_id,
            image=item.listing.image.path,
            key=lease.key.label,
            model=lease.model,
            prompt_version=self._prompts.of_listing(item.listing).version,
            attempt=attempt_id,
            ending=reply.ending,
            form=judgement.facts.form.value,
            response=reply.text[:LOGGED_CHARACTERS],
            **item.log_fields(judgement.answer),
            **counts,
        )

    def given_up(self, item: Job, reason: str) -> None:
        """Log that an item became a dead letter."""
        image = item.listing.image.path
        self._log.warning("item_given_up", image=image, reason=reason, **item.log_fields())

    def left_out(self, item: Job, reason: str) -> None:
        """Log that nothing is asked about an item, as was wished."""
        self._log.info("item_left_out", image=item.listing.image.path, reason=reason)
