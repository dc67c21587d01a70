"""Rows with one question each, where the network's own masks and positions are needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch.nn.utils.rnn import pad_sequence

from trainer.learners.chat.pictures import SeenPicture
from trainer.learners.chat.rows import Turn

TYPES: Final = "token_type_ids"
"""By which some networks tell kinds of tokens that see each other."""


@dataclass(frozen=True, slots=True)
class OwnRows:
    """Rows as the network reads them, padded on the right; see ``rows.PackedRows``.

    ``inputs`` are what the processor would return for them, by name.
    """

    inputs: Mapping[str, torch.Tensor]
    said_A: torch.Tensor
    labels_A: torch.Tensor


def own_rows(
    seen: Sequence[SeenPicture], turns: Sequence[Turn], padding: int, *, prompt_is_one: bool
) -> OwnRows:
    """Return a row for each question, with its picture before it.

    Args:
        seen: the picture of each question.
        turns: the questions.
        padding: the token id to pad with.
        prompt_is_one: whether all of a prompt sees all of it, so that an answer is of a kind of its
            own, which sees what came before alone.
    """
    device = seen[0].ids_P.device
    read = [torch.tensor(turn.read, device=device) for turn in turns]
    rows = [torch.cat((one.ids_P, own)) for one, own in zip(seen, read, strict=True)]
    ids_RS = pad_sequence(rows, batch_first=True, padding_value=padding)
    lengths = torch.tensor([len(row) for row in rows], device=device)
    mask_RS = torch.arange(ids_RS.shape[1], device=device) < lengths[:, None]
    inputs = {"input_ids": ids_RS, "attention_mask": mask_RS.long()}
    for name in seen[0].by_token:
        # In Gemma 3's way to count, 1 is a token of an image.
        counts_answers = name == TYPES and not (seen[0].by_token[name] == 1).any()
        kind = int(prompt_is_one and counts_answers)
        kinds = [
            _kinds(one.by_token[name], turn, kind) for one, turn in zip(seen, turns, strict=True)
        ]
        inputs[name] = pad_sequence(kinds, batch_first=True)
    for name in seen[0].of_shape:
        inputs[name] = torch.cat([one.of_shape[name] for one in seen])
    said = [
        number * ids_RS.shape[1] + place
        for number, (one, turn) in enumerate(zip(seen, turns, strict=True))
        for place in turn.said_after(len(one.ids_P))
    ]
    labels = [token for turn in turns for token in turn.answer]
    return OwnRows(inputs, torch.tensor(said, device=device), torch.tensor(labels, device=device))


def _kinds(before_P: torch.Tensor, turn: Turn, of_answer: int) -> torch.Tensor:
    """Return what kind each token is of: that of the picture's part, words, and an answer's."""
    words = before_P.new_zeros(len(turn.question))
    return torch.cat((before_P, words, before_P.new_full((len(turn.answer) - 1,), of_answer)))
