"""A canary as a job: one question that one model is asked again today."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, Self

from curator.judging.agreeing.listing_map import ListingMap
from curator.judging.judge import Judgement, judge_answer
from curator.ledger import CanaryChange, CanaryItem, WorkState
from curator.prompts.prompts import Prompts
from shared.endpoints.image_encoding import Photo
from shared.endpoints.models.asked_settings import AskedSettings
from shared.endpoints.protocols.annotator import Reply
from shared.endpoints.request import Request
from shared.value_class import value_class

COLDEST: Final = 0.0
"""The temperature at which a model repeats itself most."""


@value_class
class CanaryJob(CanaryItem):
    """A question without today's answer.

    ``asked`` is the model, of which ``model`` tells in which way it is asked, too. ``temperature``
    is ``None`` where it takes none.
    """

    asked: str = ""
    temperature: float | None = COLDEST

    @property
    def key(self) -> object:
        """The image, the model and the day."""
        return self.item_id, self.model, self.day

    @property
    def answered_by(self) -> str:
        """None: it is this model that is asked."""
        return ""

    @property
    def only_model(self) -> str:
        """The model that is compared with itself."""
        return self.asked

    @property
    def canary_day(self) -> str:
        """The quota day that it is asked on."""
        return self.day

    def request(self, photo: Photo, prompts: Prompts) -> Request:
        """Ask the question alone; the answer to compare with is not shown."""
        prompt = prompts.of_listing(self.listing)
        request = prompt.question_request(self.question, photo.jpeg, photo.longest_px)
        return replace(request, temperature=self.temperature)

    def judged(
        self,
        reply: Reply,
        prompts: Prompts,
        listing_map: ListingMap | None,  # noqa: ARG002 (it does not look at the listing)
    ) -> Judgement:
        """Return whether a reply is an answer, and whether it says the same as the first one."""
        language = prompts.of_listing(self.listing).language
        return judge_answer(reply, self.first_answer or "", language)

    def log_fields(self, answer: str = "") -> Mapping[str, str]:
        """Return the question and the day, and the answer where there is one."""
        fields = {"question": self.question, "canary": self.day}
        return fields | ({"answer": answer} if answer else {})

    def change(
        self,
        campaign_id: int,
        state: WorkState,
        failures: int,
        reason: str = "",
        judgement: Judgement | None = None,
    ) -> CanaryChange:
        """Return what the ledger is to know of today's answer."""
        told = judgement if state is WorkState.DONE and self.first_answer is not None else None
        return CanaryChange(
            campaign_id,
            self.item_id,
            self.model,
            self.day,
            self.question,
            state,
            failures,
            reason,
            "" if judgement is None else judgement.answer,
            None if told is None else told.agrees,
        )

    def failed(self, failures: int) -> Self:
        """Return it after so many failures."""
        return replace(self, attempts=failures)


def asked_in_a_way(model: str, settings: AskedSettings) -> str:
    """Return what tells a model from itself, asked to think or to look otherwise."""
    thinking = f", thinking {settings.thinking}" if settings.thinking else ""
    detail = f", detail {settings.image_detail}" if settings.image_detail else ""
    return f"{model}{thinking}{detail}"


def canary_job(item: CanaryItem, model: str, *, takes_temperature: bool) -> CanaryJob:
    """Return the job of asking ``model`` what ``item`` says."""
    return CanaryJob(
        item.item_id,
        item.listing,
        item.attempts,
        item.question,
        item.model,
        item.day,
        item.first_answer,
        model,
        COLDEST if takes_temperature else None,
    )
