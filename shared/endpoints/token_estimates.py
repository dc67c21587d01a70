"""How many tokens a request will take: by what models counted before, else by what is known. Pure.

Learned by model and modality: the text by its length, the image by its size and the detail asked
for, the answer and the thinking by what is asked. Of a service that does not tell images apart, the
whole input is learned.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from shared.endpoints.models.asked_settings import (
    AS_THE_MODEL_CHOOSES,
    AskedSettings,
    ModelSettings,
)
from shared.endpoints.models.known import KnownModel, Tile
from shared.endpoints.request import CHARACTERS_PER_TOKEN, Measure
from shared.value_class import value_class

ANSWER_TOKENS: Final = 40
"""Output tokens of one pair as JSON, until replies tell; thinking comes on top."""
OPINION_TOKENS: Final = 10
"""Output tokens of a second opinion, one answer as JSON."""
_REMEMBERED: Final = 1_000
"""After so many replies of a kind, the older ones count half: a service may count anew."""


@value_class
class CountedReply:
    """A request, and the tokens that the service counted for it; ``images`` is 0 if not told."""

    model: str
    settings: AskedSettings
    measure: Measure
    input: int
    images: int
    output: int
    thoughts: int


@dataclass(slots=True)
class _Mean:
    """The mean of a quantity, that of another beside it, and the largest of the first."""

    count: float = 0.0
    total: float = 0.0
    beside: float = 0.0
    largest: int = 0

    def add(self, amount: int, beside: int = 0) -> None:
        self.count += 1
        self.total += amount
        self.beside += beside
        self.largest = max(self.largest, amount)
        if self.count >= _REMEMBERED:
            halves = self.count / 2, self.total / 2, self.beside / 2
            self.count, self.total, self.beside = halves

    @property
    def each(self) -> float:
        return self.total / self.count

    @property
    def upper(self) -> int:
        """More than which a further one hardly takes: the fewer were seen, the more is left."""
        return round(self.largest * (1 + 1 / self.count))


@dataclass(slots=True)
class TokenEstimates:
    """Estimates for requests that are asked with ``settings``.

    ``tile`` says which images may count as one tile, and which as several. ``of_models`` are the
    settings of single models, by name, and may change.
    """

    tile: Tile
    settings: AskedSettings = AS_THE_MODEL_CHOOSES
    of_models: Mapping[str, ModelSettings] = field(default_factory=dict)
    _texts: dict[Hashable, _Mean] = field(default_factory=lambda: defaultdict(_Mean))
    _images: dict[Hashable, _Mean] = field(default_factory=lambda: defaultdict(_Mean))
    _inputs: dict[Hashable, _Mean] = field(default_factory=lambda: defaultdict(_Mean))
    _outputs: dict[Hashable, _Mean] = field(default_factory=lambda: defaultdict(_Mean))

    def asked(self, model: str) -> AskedSettings:
        """Return how ``model`` is asked to think and to look."""
        own = self.of_models.get(model)
        return self.settings if own is None else own.asked

    def learn(self, replies: Iterable[CountedReply]) -> None:
        """Learn from ``replies``, given oldest first."""
        for reply in replies:
            self.heard(reply)

    def heard(self, reply: CountedReply) -> None:
        """Learn from a reply."""
        measure, detail = reply.measure, reply.settings.image_detail
        characters = measure.characters
        kind = reply.model, measure.questions
        image = reply.model, detail, self._is_large(measure)
        if reply.images and measure.images:
            # Some miscount: images are a part of the input.
            images = min(reply.images, reply.input)
            self._texts[kind].add(reply.input - images, characters)
            self._images[image].add(round(images / measure.images))
        else:
            self._inputs[*image, measure.questions, measure.images].add(reply.input, characters)
        output = reply.output + reply.thoughts
        self._outputs[*kind, reply.settings.thinking].add(output)

    def _is_large(self, measure: Measure) -> bool:
        return measure.longest_px > self.tile.px

    def _kind(self, model: KnownModel, measure: Measure) -> Hashable:
        return model.name, measure.questions, self.asked(model.name).thinking

    def knows(self, model: KnownModel, measure: Measure) -> bool:
        """Return whether a reply has told what such a request takes."""
        return self._kind(model, measure) in self._outputs

    def input_tokens(self, model: KnownModel, measure: Measure) -> int:
        """Return about how many input tokens ``model`` will count."""
        image = model.name, self.asked(model.name).image_detail, self._is_large(measure)
        whole = self._inputs.get((*image, measure.questions, measure.images))
        if whole is not None and image not in self._images:
            more = measure.characters - whole.beside / whole.count
            return max(1, round(whole.each + more / CHARACTERS_PER_TOKEN))
        return round(self._text_tokens(model, measure) + self._image_tokens(model, measure))

    def _text_tokens(self, model: KnownModel, measure: Measure) -> float:
        mean = self._texts.get((model.name, measure.questions))
        if mean is None or not mean.beside:
            return measure.characters / CHARACTERS_PER_TOKEN
        return measure.characters * mean.total / mean.beside

    def _image_tokens(self, model: KnownModel, measure: Measure) -> float:
        detail = self.asked(model.name).image_detail
        mean = self._images.get((model.name, detail, self._is_large(measure)))
        each = model.tokens_of_image(measure.longest_px, detail) if mean is None else mean.each
        return measure.images * each

    def output_tokens(self, model: KnownModel, measure: Measure) -> int:
        """Return about how many tokens the answer will take, thinking included."""
        mean = self._outputs.get(self._kind(model, measure))
        return _first_output(measure) if mean is None else round(mean.each)

    def upper_output_tokens(self, model: KnownModel, measure: Measure) -> int:
        """Return more than what the answer and the thinking will hardly take."""
        mean = self._outputs.get(self._kind(model, measure))
        if mean is not None:
            return mean.upper
        # How much it thinks is not known before the first reply, but for a limit that was asked.
        thinking = model.thinking_budgets.get(self.asked(model.name).thinking, 0)
        return _first_output(measure) + thinking


def _first_output(measure: Measure) -> int:
    return ANSWER_TOKENS * measure.questions if measure.questions else OPINION_TOKENS
