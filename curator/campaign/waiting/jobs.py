"""What a campaign asks for: the questions of a listing, or a second opinion on one answer.

Each job says what it asks, what a reply to it is worth and what that changes; whoever works on jobs
need not know which they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol, Self

from curator.judging.agreeing.listing_map import ListingMap
from curator.judging.judge import Judgement, judge, judge_answer
from curator.ledger import (
    CanaryChange,
    ItemChange,
    OpinionChange,
    PairItem,
    View,
    WorkItem,
    WorkState,
)
from curator.pairs.second_opinions import opinion_change
from curator.prompts.prompts import Prompts
from shared.endpoints.image_encoding import Photo
from shared.endpoints.protocols.annotator import Reply
from shared.endpoints.request import Request
from shared.records import Listing
from shared.value_class import value_class


class Job(Protocol):
    """What one request is about; ``attempts`` counts what failed so far."""

    @property
    def item_id(self) -> int:
        """The image's number in the ledger."""

    @property
    def listing(self) -> Listing:
        """The image and what its catalogue says."""

    @property
    def attempts(self) -> int:
        """How many tries failed by its own fault."""

    @property
    def key(self) -> object:
        """What tells the job from all others of its campaign."""

    @property
    def question(self) -> str | None:
        """The one question that is asked again, if the job is about one."""

    @property
    def answered_by(self) -> str:
        """The model that was asked before, if another one is better asked now."""

    @property
    def only_model(self) -> str:
        """The model that alone may be asked; empty where any may."""

    @property
    def canary_day(self) -> str | None:
        """The quota day on which it is a canary; ``None`` where it is none."""

    def request(self, photo: Photo, prompts: Prompts) -> Request:
        """Return what is sent."""

    def judged(self, reply: Reply, prompts: Prompts, listing_map: ListingMap | None) -> Judgement:
        """Return what a reply is worth."""

    def log_fields(self, answer: str = "") -> Mapping[str, str]:
        """Return what the log tells of it besides its image."""

    def change(
        self,
        campaign_id: int,
        state: WorkState,
        failures: int,
        reason: str = "",
        judgement: Judgement | None = None,
    ) -> ItemChange | OpinionChange | CanaryChange:
        """Return the change of its state, after a reply by what that is worth."""

    def failed(self, failures: int) -> Self:
        """Return it after so many failures."""


class _OfAnyModel:
    """What of a job says that any model may be asked, and that it is no canary."""

    __slots__ = ()

    @property
    def only_model(self) -> str:
        """None."""
        return ""

    @property
    def canary_day(self) -> None:
        """None."""
        return


@value_class
class ListingJob(WorkItem, _OfAnyModel):
    """An image without questions."""

    @property
    def key(self) -> object:
        """The image."""
        return self.item_id

    @property
    def question(self) -> None:
        """None: the model is to think of some."""

    @property
    def answered_by(self) -> str:
        """None: whichever model is preferred."""
        return ""

    def request(self, photo: Photo, prompts: Prompts) -> Request:
        """Ask for questions and answers about the photo, and the further ones that were read."""
        listing = self.listing
        image = listing.image.path
        prompt = prompts.of_listing(listing)
        further = [each for each in photo.further if each is not None]
        longest_px = max(each.longest_px for each in (photo, *further))
        jpegs = tuple(each.jpeg for each in further)
        return prompt.request(
            listing.metadata, photo.jpeg, longest_px, image=image, further_jpegs=jpegs
        )

    def with_views_of(self, photo: Photo) -> tuple[Self, Sequence[View]]:
        """Return it with the views that could be read, and those that could not."""
        read = dict(zip(self.views, photo.further, strict=True))
        unread = [view for view, each in read.items() if each is None]
        return replace(self, views=tuple(view for view in read if view not in unread)), unread

    def judged(self, reply: Reply, prompts: Prompts, listing_map: ListingMap | None) -> Judgement:
        """Return which pairs of a reply are fit for the data set."""
        listing = self.listing
        image = listing.image.path
        return judge(
            reply,
            prompts.of_listing(listing),
            image=image,
            metadata=listing.metadata,
            listing_map=listing_map,
            pictures=range(1, len(self.views) + 2) if self.views else None,
        )

    def log_fields(self, answer: str = "") -> Mapping[str, str]:  # noqa: ARG002 (there is none)
        """Return nothing: the reply tells all."""
        return {}

    def change(
        self,
        campaign_id: int,
        state: WorkState,
        failures: int,
        reason: str = "",
        judgement: Judgement | None = None,  # noqa: ARG002 (the pairs go with the verdict)
    ) -> ItemChange:
        """Return the change of the image's state."""
        return ItemChange(campaign_id, self.item_id, state, failures, reason)

    def failed(self, failures: int) -> Self:
        """Return it after so many failures."""
        return replace(self, attempts=failures)


def views_of(job: Job) -> tuple[int, ...]:
    """Return the items of the further pictures that a job's request has."""
    return tuple(view.item_id for view in job.views) if isinstance(job, ListingJob) else ()


@value_class
class OpinionJob(PairItem, _OfAnyModel):
    """A pair without a second opinion."""

    @property
    def key(self) -> object:
        """The image and the question."""
        return self.item_id, self.question

    def request(self, photo: Photo, prompts: Prompts) -> Request:
        """Ask the question alone; the answer to compare with is not shown."""
        prompt = prompts.of_listing(self.listing)
        return prompt.question_request(self.question, photo.jpeg, photo.longest_px)

    def judged(
        self,
        reply: Reply,
        prompts: Prompts,
        listing_map: ListingMap | None,  # noqa: ARG002 (it does not look at the listing)
    ) -> Judgement:
        """Return whether a reply is an answer, and whether it says the same as the first one."""
        language = prompts.of_listing(self.listing).language
        return judge_answer(reply, self.answer, language)

    def log_fields(self, answer: str = "") -> Mapping[str, str]:
        """Return the question, and the answer where there is one."""
        return {"question": self.question} | ({"answer": answer} if answer else {})

    def change(
        self,
        campaign_id: int,
        state: WorkState,
        failures: int,
        reason: str = "",
        judgement: Judgement | None = None,
    ) -> OpinionChange:
        """Return the change of the pair's second opinion."""
        return opinion_change(
            campaign_id, self, state, failures=failures, reason=reason, judgement=judgement
        )

    def failed(self, failures: int) -> Self:
        """Return it after so many failures."""
        return replace(self, attempts=failures)
