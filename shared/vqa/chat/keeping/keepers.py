"""Keeping what questions about a picture have in common; each keeper says what ``generate`` says.

A keeper serves the pictures of one memory, and keeps what it read of the last ones: questions
stand together by picture, and a batch may end between two of one picture.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

import torch
from transformers import Cache, DynamicCache, PreTrainedModel

from shared.errors import InputError
from shared.value_class import value_class
from shared.vqa.chat.features import (
    Features,
    can_be_repeated,
    image_features,
    kept,
    on_device,
    repeated,
    without_pixels,
)
from shared.vqa.chat.processor import Picture
from shared.vqa.chat.prompt import Prefix, PromptSplit
from shared.vqa.chat.reading import go_on_from, read_prefixes
from shared.vqa.greedy import Decoded, generated

QUESTIONS_TOGETHER: Final = 8
"""Of one picture and one length; each has a copy of what was kept."""


@value_class
class Shared:
    """What the pictures of a memory are asked with; ``ends`` are tokens that end a text."""

    network: PreTrainedModel
    device: torch.device
    split: PromptSplit
    max_new_tokens: int
    ends: frozenset[int]


class Keeper(ABC):
    """Answers questions about some pictures, each of which it reads once."""

    def __init__(self, shared: Shared, pictures: Sequence[Picture]) -> None:
        self.shared, self.pictures = shared, pictures
        self._prefixes: dict[int, Prefix] = {}

    def answers(self, image_of: Sequence[int], texts: Sequence[str]) -> list[Decoded]:
        """Return what is said to each question, in any order."""
        asked: dict[int, dict[int, str]] = defaultdict(dict)
        for at, (picture, text) in enumerate(zip(image_of, texts, strict=True)):
            asked[picture][at] = text
        said = self.about({picture: asked[picture] for picture in sorted(asked)})
        return [said[at] for at in range(len(texts))]

    @abstractmethod
    def about(self, asked: Mapping[int, Mapping[int, str]]) -> dict[int, Decoded]:
        """Return what is said to the questions of each picture, by their numbers."""

    def prefix(self, picture: int) -> Prefix:
        """Return what stands before every question about a picture."""
        if picture not in self._prefixes:
            self._prefixes[picture] = self.shared.split.prefix(self.pictures[picture])
        return self._prefixes[picture]

    def own_tokens(self, picture: int, text: str) -> tuple[int, ...] | None:
        """Return the tokens of a question after its picture's prefix, if it begins with that."""
        return self.prefix(picture).question(self.pictures[picture].tokens(text))

    def prefix_inputs(self, picture: int) -> dict[str, Any]:
        """Return what a network reads of a prefix; the pixels are let go, which are read once."""
        prefix = self.prefix(picture)
        inputs = prefix.inputs or self.shared.split.prefix(self.pictures[picture]).inputs
        on_its_device = on_device(self.shared.network, inputs, self.shared.device)
        self._prefixes[picture] = Prefix(prefix.ids, {})
        self.pictures[picture].drop_pixels()
        return on_its_device

    def alone(self, picture: int, text: str) -> Decoded:
        """Return what is said to a question that is asked with nothing that was kept.

        Raises:
            InputError: the network does not take it.
        """
        network = self.shared.network
        given = self.whole(picture, text)
        try:
            [said] = generated(network, self.shared.max_new_tokens, **given)
        except ValueError as error:
            raise InputError(
                f"{self.pictures[picture].name}: cannot be asked {text!r} ({error})"
            ) from error
        return said

    def whole(self, picture: int, text: str) -> dict[str, Any]:
        """Return all that the processor returned and the network takes."""
        inputs = self.pictures[picture].asked(text)
        return on_device(self.shared.network, inputs, self.shared.device)


class PlainKeeper(Keeper):
    """Every question is asked alone; of a picture, its pixels are kept."""

    def about(self, asked: Mapping[int, Mapping[int, str]]) -> dict[int, Decoded]:
        """Return what is said to the questions of each picture, by their numbers."""
        return {
            at: self.alone(picture, text)
            for picture, texts in asked.items()
            for at, text in texts.items()
        }

    def whole(self, picture: int, text: str) -> dict[str, Any]:
        """Return the same without an end token, which a decoder would not go on after."""
        inputs = super().whole(picture, text)
        ids = inputs["input_ids"]
        if self.shared.network.config.is_encoder_decoder or int(ids[0, -1]) not in self.shared.ends:
            return inputs
        return {
            name: value[:, :-1] if value.shape == ids.shape else value
            for name, value in inputs.items()
        }


class CopiesKeeper(Keeper):
    """Questions of one length start together, each with a copy of its picture's state."""

    def __init__(self, shared: Shared, pictures: Sequence[Picture]) -> None:
        super().__init__(shared, pictures)
        self._kept: tuple[int, Cache, int] | None = None

    def about(self, asked: Mapping[int, Mapping[int, str]]) -> dict[int, Decoded]:
        """Return what is said to the questions of each picture, by their numbers."""
        said: dict[int, Decoded] = {}
        for picture, texts in asked.items():
            own = {at: self.own_tokens(picture, text) for at, text in texts.items()}
            said |= {at: self.alone(picture, texts[at]) for at, row in own.items() if row is None}
            for batch in _of_one_length({at: row for at, row in own.items() if row}):
                answers = self._from_copies(picture, [own[at] or () for at in batch])
                said |= dict(zip(batch, answers, strict=True))
        return said

    def _from_copies(self, picture: int, rows: Sequence[tuple[int, ...]]) -> list[Decoded]:
        cache, offset = self._state(picture)
        ids = self.prefix(picture).ids
        ids_BT = torch.tensor([[*ids, *row] for row in rows], device=self.shared.device)
        go_on_from(self.shared.network, offset, self.shared.device)
        return generated(
            self.shared.network,
            self.shared.max_new_tokens,
            input_ids=ids_BT,
            attention_mask=torch.ones_like(ids_BT),
            past_key_values=copied(cache, len(rows), self.shared.device),
        )

    def _state(self, picture: int) -> tuple[Cache, int]:
        if self._kept is None or self._kept[0] != picture:
            self._kept = None
            text = self.shared.network.config.get_text_config(decoder=True)
            cache = DynamicCache(config=text)
            [start] = read_prefixes(self.shared.network, self.prefix_inputs(picture), cache)
            self._kept = (picture, cache, start - len(self.prefix(picture).ids))
        return self._kept[1:]


class FeaturesKeeper(Keeper):
    """The picture's features are kept; the language model reads them with every question anew."""

    def __init__(self, shared: Shared, pictures: Sequence[Picture]) -> None:
        super().__init__(shared, pictures)
        self._kept: tuple[int, Features] | None = None

    def about(self, asked: Mapping[int, Mapping[int, str]]) -> dict[int, Decoded]:
        """Return what is said to the questions of each picture, by their numbers."""
        said: dict[int, Decoded] = {}
        for picture, texts in asked.items():
            features = self._features(picture, next(iter(texts.values())))
            inputs = {at: self.pictures[picture].asked(text) for at, text in texts.items()}
            lengths = {at: inputs[at]["input_ids"][0].tolist() for at in inputs}
            together = QUESTIONS_TOGETHER if can_be_repeated(features) else 1
            for batch in _of_one_length(lengths, together):
                answers = self._with_features(features, [inputs[at] for at in batch])
                said |= dict(zip(batch, answers, strict=True))
        return said

    def _with_features(
        self, features: Features, inputs: Sequence[Mapping[str, Any]]
    ) -> list[Decoded]:
        rows = {
            name: torch.cat([one[name] for one in inputs]) for name in without_pixels(inputs[0])
        }
        many = len(inputs) > 1
        return generated(
            self.shared.network,
            self.shared.max_new_tokens,
            **on_device(self.shared.network, rows, self.shared.device),
            mm_encoder_outputs={
                "image": repeated(features, len(inputs)) if many else copy.copy(features)
            },
        )

    def _features(self, picture: int, text: str) -> Features:
        if self._kept is None or self._kept[0] != picture:
            self._kept = None
            inputs = self.pictures[picture].asked(text)
            given = on_device(self.shared.network, inputs, self.shared.device)
            self._kept = (picture, kept(image_features(self.shared.network, given)))
            self.pictures[picture].drop_pixels()
        return self._kept[1]


def copied(cache: Cache, times: int, device: torch.device) -> Cache:
    """Return a copy of one picture's state for each of several questions.

    Layers of every kind can be put into another order, as a search with beams needs it: here the
    first row is put into all places.
    """
    copies = copy.deepcopy(cache)
    copies.reorder_cache(torch.zeros(times, dtype=torch.long, device=device))
    return copies


def _of_one_length(
    rows: Mapping[int, Sequence[int]], together: int = QUESTIONS_TOGETHER
) -> list[list[int]]:
    """Return the numbers of questions of one length, in batches: none needs padding."""
    by_length: dict[int, list[int]] = defaultdict(list)
    for at, row in rows.items():
        by_length[len(row)].append(at)
    return [
        batch[first : first + together]
        for batch in by_length.values()
        for first in range(0, len(batch), together)
    ]
