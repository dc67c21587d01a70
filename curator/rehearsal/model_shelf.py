"""The models that a rehearsal plays: who may use which, until when, and what answers instead. Pure.

What ``GET models/NAME`` tells of one is built here too. That a real answer to it holds a
``modelStatus``, as replies do, is not known; it is played so that a client is held to heed it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from datetime import UTC, datetime
from typing import Final

from curator.rehearsal.inbound import CHARACTERS_PER_TOKEN, PLAIN_TEXT, Inquiry, ServiceTier
from curator.rehearsal.words.key_refusals import closed_model
from curator.rehearsal.words.replies import Json, WireReply, bad_request, unknown_model
from shared.value_class import value_class

_INPUT_TOKENS: Final = 1_048_576
_OUTPUT_TOKENS: Final = 65_536
_NO_LEVEL: Final = "Thinking level is not supported for this model."
_NO_BUDGET: Final = "Thinking budget is not supported for this model."
BATCH: Final = "batch"
"""What a model takes besides service tiers: jobs of many requests."""
_ALL_TIERS: Final = frozenset({*ServiceTier, BATCH})


@value_class
class Counting:
    """How a model thinks and counts tokens.

    ``image_tokens`` are those of an image by detail, and ``image_detail`` is what counts where none
    is asked for; without them an image counts by its size. ``thought_tokens`` are those of a
    request by level of thinking, and ``thinking`` is the level where none is asked for; other
    levels are refused. ``takes_budget`` says that thinking is set by a budget of tokens instead.
    ``cached_tokens`` are those of each request's input that had been kept from before.
    """

    image_tokens: Mapping[str, int] = field(default_factory=dict)
    image_detail: str = "high"
    characters_per_token: float = CHARACTERS_PER_TOKEN
    thought_tokens: Mapping[str, int] = field(default_factory=dict)
    thinking: str = ""
    takes_budget: bool = False
    cached_tokens: int = 0

    def refused_setting(self, inquiry: Inquiry) -> str:
        """Return which setting of a request the model does not know; empty where it knows all."""
        if inquiry.thinking_level and (
            self.takes_budget
            or (self.thought_tokens and inquiry.thinking_level not in self.thought_tokens)
        ):
            return f"level {inquiry.thinking_level.upper()}"
        if inquiry.thinking_budget is not None and self.thought_tokens and not self.takes_budget:
            return "budget"
        return ""

    def counted(self, inquiry: Inquiry) -> Inquiry:
        """Return a request with the tokens that the model counts."""
        text = math.ceil(len(inquiry.text) / self.characters_per_token)
        images = inquiry.image_tokens
        if self.image_tokens:
            each = self.image_tokens[inquiry.image_detail or self.image_detail]
            images = each * len(inquiry.images)
        thoughts = self.thought_tokens.get(inquiry.thinking_level or self.thinking, 0)
        if self.takes_budget and inquiry.thinking_budget is not None:
            thoughts = max(0, inquiry.thinking_budget)
        return replace(
            inquiry,
            text_tokens=text,
            image_tokens=images,
            thought_tokens=thoughts,
            cached_tokens=min(self.cached_tokens, text + images),
        )


@value_class
class RehearsedModel:
    """A model; projects in ``closed_to`` may not use it.

    ``retires_at`` is in seconds since the epoch. From then on, or at once where there is no such
    time, requests are answered by ``answers_as``; without it, the name is unknown from then on, as
    it is after ``valid_for`` requests. ``tiers`` are the service tiers that it has, and ``batch``.
    """

    name: str
    stage: str = ""
    retires_at: float | None = None
    closed_to: frozenset[str] = frozenset()
    answers_as: str = ""
    takes_json_mode: bool = True
    takes_system_text: bool = True
    takes_thinking: bool = True
    takes_detail: bool = True
    valid_for: int | None = None
    tiers: frozenset[str] = _ALL_TIERS
    counting: Counting = Counting()


class ModelShelf:
    """Which models are served: ``names`` and ``models``, or any where there are no ``names``."""

    def __init__(self, names: Iterable[str], models: Iterable[RehearsedModel] = ()) -> None:
        self._names = frozenset(names)
        self._models = {model.name: model for model in models}
        self._asked: Counter[str] = Counter()

    def refusal(self, name: str, project: str, *, version: str, now: float) -> WireReply | None:
        """Return what a project is told that may not use a model; ``None`` where it may."""
        model = self._models.get(name)
        is_known = not self._names or name in self._names or model is not None
        if not is_known:
            return unknown_model(name, version)
        if model is None:
            return None
        if project in model.closed_to:
            return closed_model(name)
        is_spent = model.valid_for is not None and self._asked[name] >= model.valid_for
        if is_spent or (_has_retired(model, now) and not model.answers_as):
            return unknown_model(name, version)
        return None

    def form_refusal(self, name: str, inquiry: Inquiry) -> WireReply | None:
        """Return what is told of a form that a model does not know; ``None`` where it does."""
        model = self._models.get(name)
        if model is None:
            return None
        asks_for_json = inquiry.schema is not None or inquiry.mime_type != PLAIN_TEXT
        asks_for_budget = inquiry.thinking_budget is not None
        of_model = f"is not enabled for models/{name}"
        refusals = {
            f"Developer instruction {of_model}": inquiry.has_system_text
            and not model.takes_system_text,
            f"JSON mode {of_model}": asks_for_json and not model.takes_json_mode,
            _NO_LEVEL: bool(inquiry.thinking_level) and not model.takes_thinking,
            _NO_BUDGET: asks_for_budget and not model.takes_thinking,
            f"Media resolution {of_model}": bool(inquiry.image_detail) and not model.takes_detail,
        }
        refused = next((message for message, is_told in refusals.items() if is_told), None)
        return None if refused is None else bad_request(refused)

    def tier_refusal(self, name: str, tier: ServiceTier) -> WireReply | None:
        """Return what is told of a service tier that a model lacks; ``None`` where it has it."""
        if tier in self._tiers(name):
            return None
        return bad_request(f"{tier.capitalize()} API is not supported for model models/{name}.")

    def takes_batches(self, name: str) -> bool:
        """Return whether jobs of many requests may be given to a model."""
        return BATCH in self._tiers(name)

    def _tiers(self, name: str) -> frozenset[str]:
        model = self._models.get(name)
        return _ALL_TIERS if model is None else model.tiers

    def count(self, name: str) -> None:
        """Count a request that a model is to answer."""
        self._asked[name] += 1

    def asked(self, name: str) -> int:
        """Return how many requests a model was to answer so far."""
        return self._asked[name]

    def answering(self, name: str, now: float) -> str:
        """Return the model that answers where ``name`` is asked."""
        model = self._models.get(name)
        if model is None or not model.answers_as:
            return name
        return model.answers_as if model.retires_at is None or _has_retired(model, now) else name

    def status(self, name: str) -> Json:
        """Return what replies tell of a model's life, as a field of theirs; nothing for most."""
        model = self._models.get(name)
        if model is None or not (model.stage or model.retires_at):
            return {}
        status: Json = {"modelStage": model.stage} if model.stage else {}
        if model.retires_at is not None:
            at = datetime.fromtimestamp(model.retires_at, UTC)
            status["retirementTime"] = at.strftime("%Y-%m-%dT%H:%M:%SZ")
            status["message"] = f"This model will be shut down on {at:%B %d, %Y}."
        return {"modelStatus": status}

    def counting(self, name: str) -> Counting:
        """Return how the model counts tokens; as the first ones did where nothing is said."""
        model = self._models.get(name)
        return Counting() if model is None else model.counting

    def resource(self, name: str) -> WireReply:
        """Return the answer to ``GET models/NAME`` for a model that may be used."""
        methods = ["generateContent", "countTokens"]
        methods += ["batchGenerateContent"] if self.takes_batches(name) else []
        body: Json = {
            "name": f"models/{name}",
            "version": "001",
            "displayName": name.replace("-", " ").title(),
            "inputTokenLimit": _INPUT_TOKENS,
            "outputTokenLimit": _OUTPUT_TOKENS,
            "supportedGenerationMethods": methods,
        }
        return WireReply(200, body | self.status(name))


def _has_retired(model: RehearsedModel, now: float) -> bool:
    return model.retires_at is not None and now >= model.retires_at
