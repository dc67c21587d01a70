"""Rows that a decoder learns from: what stands before the question once, then its questions.

In a packed row each question and its answer see what stands before them and themselves alone, at
the positions that they would have alone, so that the loss is that of one row for each question. In
rows of their own, the network's own masks and positions do that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from shared.vqa.chat.rows import NOBODY, PREFIX, as_floats, sees


@dataclass(frozen=True, slots=True)
class Turn:
    """Token ids of a question, with all up to the answer, and of its answer with the end."""

    question: tuple[int, ...]
    answer: tuple[int, ...]

    @property
    def read(self) -> tuple[int, ...]:
        """Return what is read: all but the end, after which nothing is said."""
        return self.question + self.answer[:-1]

    def said_after(self, before: int) -> range:
        """Return the places that say the answer's tokens, with ``before`` places before it."""
        first = before + len(self.question) - 1
        return range(first, first + len(self.answer))


@dataclass(frozen=True, slots=True)
class Before:
    """What stands before the questions of an image.

    ``ids_P`` are its tokens, ``positions_XP`` where they stand. Tokens of the same ``group_P`` see
    each other, whichever comes first; those of group -1 see what came before them.
    """

    ids_P: torch.Tensor
    positions_XP: torch.Tensor
    group_P: torch.Tensor

    def __len__(self) -> int:
        return len(self.ids_P)


@dataclass(frozen=True, slots=True)
class Row:
    """An image, by its number in the batch, and those of its questions that share a row."""

    image: int
    turns: tuple[Turn, ...]


@dataclass(frozen=True, slots=True)
class PackedRows:
    """Rows as the network reads them, padded on the right.

    ``mask_R1SS`` is 0 where a place (third axis) sees another (fourth), and the smallest number
    elsewhere. ``said_A`` are the places, counted through all rows, that say the next token of an
    answer, and ``labels_A`` what they should say.
    """

    ids_RS: torch.Tensor
    positions_XRS: torch.Tensor
    mask_R1SS: torch.Tensor
    said_A: torch.Tensor
    labels_A: torch.Tensor


def rows_of(
    before: Sequence[int], image_of: Sequence[int], turns: Sequence[Turn], longest: int | None
) -> list[Row]:
    """Return rows with all questions of an image, or as many as fit into ``longest`` places.

    Args:
        before: how many places stand before the questions of each image.
        image_of: the image of each turn, by its place in ``before``.
        turns: the questions.
        longest: ``None`` where a row may have any length.
    """
    of_image: dict[int, list[Turn]] = {}
    for image, turn in zip(image_of, turns, strict=True):
        of_image.setdefault(image, []).append(turn)
    return [
        Row(image, cut)
        for image, asked in of_image.items()
        for cut in _cut(asked, None if longest is None else longest - before[image])
    ]


def _cut(turns: Sequence[Turn], room: int | None) -> Iterator[tuple[Turn, ...]]:
    row: list[Turn] = []
    used = 0
    for turn in turns:
        if row and room is not None and used + len(turn.read) > room:
            yield tuple(row)
            row, used = [], 0
        row.append(turn)
        used += len(turn.read)
    yield tuple(row)


def packed(
    rows: Sequence[Row], before: Sequence[Before], padding: int, dtype: torch.dtype
) -> PackedRows:
    """Return rows as tensors, on the device of ``before``.

    Args:
        rows: images with their questions.
        before: what stands before the questions, for each image.
        padding: the token id to pad with.
        dtype: that of the mask, which is the network's.
    """
    longest = max(_length(row, before) for row in rows)
    ids, positions, masks, said, labels = [], [], [], [], []
    for number, row in enumerate(rows):
        own = before[row.image]
        ids.append(_padded(_ids(row, own), longest, padding))
        positions.append(_padded(_positions(row, own), longest, 0))
        masks.append(_sees(row, own, longest))
        said += [number * longest + place for place in _said(row, len(own))]
        labels += [token for turn in row.turns for token in turn.answer]
    device = ids[0].device
    return PackedRows(
        torch.stack(ids),
        torch.stack(positions, dim=1),
        as_floats(torch.stack(masks), dtype),
        torch.tensor(said, device=device),
        torch.tensor(labels, device=device),
    )


def _length(row: Row, before: Sequence[Before]) -> int:
    return len(before[row.image]) + sum(len(turn.read) for turn in row.turns)


def _padded(tensor: torch.Tensor, length: int, value: int) -> torch.Tensor:
    return torch.nn.functional.pad(tensor, (0, length - tensor.shape[-1]), value=value)


def _ids(row: Row, before: Before) -> torch.Tensor:
    read = [token for turn in row.turns for token in turn.read]
    return torch.cat((before.ids_P, torch.tensor(read, device=before.ids_P.device)))


def _positions(row: Row, before: Before) -> torch.Tensor:
    """Return ``(X, S)``: each question goes on where what stands before all of them ends."""
    before_XP = before.positions_XP
    first = int(before_XP.max()) + 1
    own = torch.cat([torch.arange(first, first + len(turn.read)) for turn in row.turns])
    return torch.cat((before_XP, own.to(before_XP).expand(len(before_XP), -1)), dim=1)


def _sees(row: Row, before: Before, length: int) -> torch.Tensor:
    """Return ``(S, S)``, true where a place sees another."""
    sizes = [len(before), *(len(turn.read) for turn in row.turns)]
    sizes.append(length - sum(sizes))
    owners = torch.tensor([PREFIX, *range(1, len(row.turns) + 1), NOBODY])
    owners_1S = owners.repeat_interleave(torch.tensor(sizes)).to(before.ids_P.device)[None]
    group_S = _padded(before.group_P, length, -1)
    together_SS = (group_S[None] == group_S[:, None]) & (group_S[None] >= 0)
    return sees(owners_1S, owners_1S, 0)[0] | together_SS


def _said(row: Row, before: int) -> list[int]:
    """Return the places that say the tokens of the answers."""
    places: list[int] = []
    for turn in row.turns:
        places += turn.said_after(before)
        before += len(turn.read)
    return places
