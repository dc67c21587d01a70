"""All questions of several pictures go through the network together, a row a picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Final

from transformers import PreTrainedModel

from shared.value_class import value_class
from shared.vqa.chat.abilities import window_of
from shared.vqa.chat.features import (
    Features,
    image_features,
    kept,
    of_one_shape,
    pixels_in,
    together,
    without_pixels,
)
from shared.vqa.chat.keeping.cache import Shelf
from shared.vqa.chat.keeping.decoding import Prefixes, RowDecoder, RowQuestion
from shared.vqa.chat.keeping.keepers import Keeper, Shared
from shared.vqa.chat.processor import Picture
from shared.vqa.chat.reading import read_prefixes
from shared.vqa.greedy import Decoded

PIXELS_READ_TOGETHER: Final = {"cpu": 2**19, "cuda": 2**24}
"""Pictures of one shape are read together up to so many numbers, by the kind of device: one of
448 x 448 pixels goes alone on a CPU, which it fills."""
LEAST_ROOM: Final = 1024
"""Tokens of questions and answers about a picture for which there is room at once; as many as its
prefix has, if these are more. Further questions wait."""


@dataclass(slots=True)
class _Group:
    """Pictures that stand in the rows of one shelf, in their order."""

    pictures: list[int]
    shelf: Shelf
    lengths: list[int]
    starts: list[int]


@value_class
class _Encoded:
    """Pictures of one shape after the vision tower: their inputs without pixels, and features."""

    inputs: Mapping[str, Any]
    features: Features


@dataclass(slots=True)
class _Questions:
    """The questions of a picture: own tokens by number, and the texts of those that have none."""

    own: dict[int, tuple[int, ...]]
    others: dict[int, str]

    def room(self, max_new_tokens: int) -> int:
        """Return how many places behind the prefix they take, with their answers."""
        return sum(len(row) + max_new_tokens for row in self.own.values())


class RowsKeeper(Keeper):
    """Keeps keys and values of as many pictures at once as fit into ``memory_bytes``."""

    def __init__(
        self, shared: Shared, pictures: Sequence[Picture], decoder: RowDecoder, memory_bytes: int
    ) -> None:
        super().__init__(shared, pictures)
        self._decoder = decoder
        self._most_tokens = max(1, memory_bytes // bytes_per_token(shared.network))
        self._window = window_of(shared.network)
        self._kept: _Group | None = None

    def about(self, asked: Mapping[int, Mapping[int, str]]) -> dict[int, Decoded]:
        """Return what is said to the questions of each picture, by their numbers."""
        said: dict[int, Decoded] = {}
        waiting = list(asked)
        while waiting:
            group, questions = self._next_group(waiting, asked)
            for picture, own in questions.items():
                said |= {at: self.alone(picture, text) for at, text in own.others.items()}
            for part in self._parts(group, questions):
                said |= self._of_group(group, part)
            waiting = [picture for picture in waiting if picture not in questions]
        return said

    def _next_group(
        self, waiting: Sequence[int], asked: Mapping[int, Mapping[int, str]]
    ) -> tuple[_Group, dict[int, _Questions]]:
        """Return the group of the first pictures that wait, read if it has to be."""
        if self._kept is not None and waiting[0] in self._kept.pictures:
            kept = [picture for picture in waiting if picture in self._kept.pictures]
            return self._kept, {picture: self._own(picture, asked[picture]) for picture in kept}
        self._kept = None
        return self._read(waiting, asked)

    def _own(self, picture: int, texts: Mapping[int, str]) -> _Questions:
        own = {at: self.own_tokens(picture, text) for at, text in texts.items()}
        before = len(self.prefix(picture).ids)
        most = None if self._window is None else self._window - before - self.shared.max_new_tokens
        fits = {at: row for at, row in own.items() if row and (most is None or len(row) <= most)}
        return _Questions(fits, {at: text for at, text in texts.items() if at not in fits})

    def _read(
        self, waiting: Sequence[int], asked: Mapping[int, Mapping[int, str]]
    ) -> tuple[_Group, dict[int, _Questions]]:
        """Read pictures as long as memory lasts, those of one shape together.

        All of them go through the vision tower before the first has keys and values: what the tower
        holds while it runs, and what is kept of pictures, are not in memory at the same time.
        """
        questions: dict[int, _Questions] = {}
        group: _Group | None = None
        encoded: list[_Encoded] = []
        batch: list[Mapping[str, Any]] = []
        for picture in waiting:
            own = self._own(picture, asked[picture])
            before = len(self.prefix(picture).ids)
            needed = before + min(own.room(self.shared.max_new_tokens), max(before, LEAST_ROOM))
            if group is None:
                rows = min(len(waiting), max(1, self._most_tokens // needed))
                group = _Group([], Shelf.of(self.shared.network, rows, needed), [], [])
            elif not self._fits(group, needed):
                break
            group.shelf.grow(needed)
            questions[picture] = own
            group.pictures.append(picture)
            group.lengths.append(len(self.prefix(picture).ids))
            batch = self._encode_later(encoded, [*batch, self.prefix_inputs(picture)])
        assert group is not None, "no picture"
        self._encode_now(encoded, batch)
        while encoded:
            self._read_now(group, encoded.pop(0))
        self._kept = group
        return group, questions

    def _fits(self, group: _Group, needed: int) -> bool:
        rows = group.shelf.rows
        enough = max(needed, group.shelf.length) * rows <= self._most_tokens
        return len(group.pictures) < rows and enough

    def _encode_later(
        self, encoded: list[_Encoded], batch: list[Mapping[str, Any]]
    ) -> list[Mapping[str, Any]]:
        """Encode pictures where the next does not go with them; return those that still wait."""
        *before, last = batch
        if before and not of_one_shape(batch):
            self._encode_now(encoded, before)
            batch = [last]
        # Before the next one's pixels are made: the next of one shape has as many.
        if sum(map(pixels_in, [*batch, last])) > PIXELS_READ_TOGETHER.get(
            self.shared.device.type, 0
        ):
            self._encode_now(encoded, batch)
            return []
        return batch

    def _encode_now(self, encoded: list[_Encoded], batch: Sequence[Mapping[str, Any]]) -> None:
        if batch:
            inputs = together(batch)
            features = kept(image_features(self.shared.network, inputs))
            encoded.append(_Encoded(without_pixels(inputs), features))

    def _read_now(self, group: _Group, pictures: _Encoded) -> None:
        first, network = len(group.starts), self.shared.network
        cache = group.shelf.cache(first, first + len(pictures.inputs["input_ids"]), 0)
        group.starts += read_prefixes(network, pictures.inputs, cache, pictures.features)

    def _parts(
        self, group: _Group, questions: Mapping[int, _Questions]
    ) -> Iterator[dict[int, dict[int, tuple[int, ...]]]]:
        """Yield questions of each picture in parts for which there is room behind the prefixes."""
        waiting = {picture: list(own.own.items()) for picture, own in questions.items() if own.own}
        room = group.shelf.length - max(group.lengths)
        while waiting:
            counts = {picture: self._fitting(own, room) for picture, own in waiting.items()}
            yield {picture: dict(own[: counts[picture]]) for picture, own in waiting.items()}
            left = {picture: own[counts[picture] :] for picture, own in waiting.items()}
            waiting = {picture: own for picture, own in left.items() if own}

    def _fitting(self, own: Sequence[tuple[int, tuple[int, ...]]], room: int) -> int:
        """Return for how many of a picture's questions there is room, one at least."""
        needed = accumulate(len(row) + self.shared.max_new_tokens for _, row in own)
        return max(1, sum(places <= room for places in needed))

    def _of_group(
        self, group: _Group, own: Mapping[int, Mapping[int, tuple[int, ...]]]
    ) -> dict[int, Decoded]:
        """Answer questions of some pictures of a group."""
        rows = [group.pictures.index(picture) for picture in own]
        first, last = min(rows), max(rows) + 1
        lengths = group.lengths[first:last]
        asked = list(self._rows(group, own, first))
        new = self.shared.max_new_tokens
        # The longest prefix, the longest questions and the most answers may be in three rows.
        body = max(sum(map(len, questions.values())) for questions in own.values())
        group.shelf.grow(max(lengths) + body + new * max(map(len, own.values())))
        cache = group.shelf.cache(first, last, max(lengths))
        prefixes = Prefixes(cache, tuple(lengths), tuple(group.starts[first:last]))
        answers = self._decoder.answers(prefixes, [question for _, question in asked], new)
        return {at: answer for (at, _), answer in zip(asked, answers, strict=True)}

    def _rows(
        self, group: _Group, own: Mapping[int, Mapping[int, tuple[int, ...]]], first: int
    ) -> Iterator[tuple[int, RowQuestion]]:
        for picture, questions in own.items():
            row = group.pictures.index(picture) - first
            for at, tokens in questions.items():
                yield at, RowQuestion(row, tokens, self.prefix(picture).ids)


def bytes_per_token(network: PreTrainedModel) -> int:
    """Return what a token's keys and values take in all layers, by the configuration."""
    text = network.config.get_text_config(decoder=True)
    heads = getattr(text, "num_key_value_heads", None) or text.num_attention_heads
    size = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    return int(2 * text.num_hidden_layers * heads * size * network.dtype.itemsize)
