"""Several questions in one row behind one prefix, each of which sees the prefix and itself alone.

A row has places. Each belongs to the prefix, to a question, or to nobody, where another row is
longer. Positions run on from the prefix for every question, as if it stood there alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch

from shared.value_class import value_class

PREFIX: Final = 0
NOBODY: Final = -1


@value_class
class Chunk:
    """Tokens that go through the network together: N rows of T places.

    ``owners_NT`` are ``NOBODY`` or a question's number, from 1 on.
    """

    ids_NT: torch.Tensor
    owners_NT: torch.Tensor
    positions_NT: torch.Tensor


class Rows:
    """Which place of each row belongs to whom, as rows grow by chunks.

    Prefixes of N rows have ``lengths`` tokens; the shorter ones are followed by nobody's places.
    """

    def __init__(self, lengths: Sequence[int], device: torch.device) -> None:
        longest = max(lengths)
        places_NS = torch.arange(longest).expand(len(lengths), -1)
        ends_N1 = torch.tensor(lengths).unsqueeze(1)
        self._owners_NS = torch.where(places_NS < ends_N1, PREFIX, NOBODY).to(device)

    def mask(self, owners_NT: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        """Append places and return what they see: ``(N, 1, T, S + T)``, 0 or the lowest number."""
        before = self._owners_NS.shape[1]
        self._owners_NS = torch.cat((self._owners_NS, owners_NT), dim=1)
        seen_NTS = sees(owners_NT, self._owners_NS, before)
        return as_floats(seen_NTS, dtype)


def sees(owners_NT: torch.Tensor, all_NS: torch.Tensor, before: int) -> torch.Tensor:
    """Return which of S places each of T places sees, which come after ``before`` of them.

    Nobody's places see the prefix: a place that sees nothing would become no number, and with it
    all that it is multiplied with.
    """
    places_S = torch.arange(all_NS.shape[1], device=all_NS.device)
    own_T = before + torch.arange(owners_NT.shape[1], device=all_NS.device)
    earlier_TS = places_S <= own_T.unsqueeze(1)
    same_NTS = owners_NT.unsqueeze(2) == all_NS.unsqueeze(1)
    of_question_NTS = same_NTS & (owners_NT != NOBODY).unsqueeze(2)
    return ((all_NS == PREFIX).unsqueeze(1) | of_question_NTS) & earlier_TS


def as_floats(seen_NTS: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Return a mask as every kind of attention adds it: ``(N, 1, T, S)``.

    One of booleans means something else to ``eager`` attention.
    """
    lowest = torch.finfo(dtype).min
    mask_NTS = torch.zeros_like(seen_NTS, dtype=dtype).masked_fill_(~seen_NTS, lowest)
    return mask_NTS.unsqueeze(1)


def first_chunk(
    questions: Sequence[Sequence[int]], row_of: Sequence[int], starts: Sequence[int], pad: int
) -> tuple[Chunk, list[int]]:
    """Lay out questions' tokens; the last token of each stands among the last places of its row.

    So no more logits are computed than there are questions in the fullest row.

    Args:
        questions: the tokens of each.
        row_of: its row.
        starts: for each row, the position after the prefix.
        pad: a token for nobody's places.

    Returns:
        The chunk, and the place of each question's last token in its row, counted from the end.
    """
    own = [[at for at, row in enumerate(row_of) if row == number] for number in range(len(starts))]
    last = max(map(len, own))
    body = max(sum(len(questions[at]) - 1 for at in row) for row in own)
    shape = (len(starts), body + last)
    ids_NT, owners_NT = torch.full(shape, pad), torch.full(shape, NOBODY)
    positions_NT = torch.zeros(shape, dtype=torch.long)
    places = [0] * len(questions)
    for number, row in enumerate(own):
        filled = 0
        for slot, at in enumerate(row):
            tokens = torch.tensor(questions[at])
            where = torch.arange(filled, filled + len(tokens))
            filled += len(tokens) - 1
            where[-1] = body + slot
            places[at] = slot - last
            ids_NT[number, where] = tokens
            owners_NT[number, where] = at + 1
            positions_NT[number, where] = starts[number] + torch.arange(len(tokens))
    return Chunk(ids_NT, owners_NT, positions_NT), places


def next_chunk(
    tokens: Sequence[tuple[int, int, int]], row_of: Sequence[int], rows: int, pad: int
) -> tuple[Chunk, list[int]]:
    """Lay out one token of each question that still goes on; the rest as ``first_chunk``.

    ``tokens`` are the tokens' ids, the questions' numbers from 0 on, and the positions.
    """
    counts = [0] * rows
    slots = []
    for row in row_of:
        slots.append(counts[row])
        counts[row] += 1
    width = max(counts)
    chunk = Chunk(
        torch.full((rows, width), pad),
        torch.full((rows, width), NOBODY),
        torch.zeros((rows, width), dtype=torch.long),
    )
    where = (torch.tensor(row_of), torch.tensor(slots))
    ids_Q, numbers_Q, positions_Q = torch.tensor(tokens).unbind(1)
    chunk.ids_NT[where] = ids_Q
    chunk.owners_NT[where] = numbers_Q + 1
    chunk.positions_NT[where] = positions_Q
    return chunk, [slot - width for slot in slots]
