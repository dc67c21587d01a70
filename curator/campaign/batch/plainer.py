"""How models are asked in jobs: in what form, with what settings, until they refuse them."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass, field

from curator.campaign.loop import Curator
from curator.campaign.results import Try
from curator.ledger import BatchJob
from shared.endpoints.models.asked_settings import AskedSettings, ModelSettings
from shared.endpoints.protocols.annotator import AskedForm, ask_without
from shared.endpoints.refusals.refusal import FormNotTaken, Refusal, SettingNotTaken


@dataclass(slots=True)
class Plainer:
    """Changes ``forms`` and ``settings``, by which the next jobs are made."""

    curator: Curator
    forms: dict[str, AskedForm]
    settings: MutableMapping[str, ModelSettings]
    _plain_since: dict[str, float] = field(default_factory=dict)

    def heed(
        self, job: BatchJob, tried: Try, refusal: Refusal | None, asked: AskedSettings
    ) -> Refusal | None:
        """Ask more plainly where a request was refused for how it asked, its item too.

        Returns what is left of the refusal: ``None`` where that is all that follows.
        """
        model = job.model
        if isinstance(refusal, SettingNotTaken):
            sent = ModelSettings(asked.thinking, None, asked.image_detail)
            form = self.forms.get(model, AskedForm.SCHEMA)
            refusal = ask_without(self.settings, model, sent, form, refusal)
        if not isinstance(refusal, FormNotTaken):
            return refusal
        if not refusal.left_out:
            if self.forms.get(model) is not AskedForm.PLAIN:
                self.forms[model] = AskedForm.PLAIN
                self._plain_since[model] = self.curator.clock.now()
            # All requests of a job were asked in one form.
            if job.created_at >= self._plain_since.get(model, 0.0):
                return refusal
            refusal = FormNotTaken(refusal.reason, AskedForm.PLAIN)
        self.curator.then.ask_more_plainly(tried, self.curator.service.value, refusal)
        return None
