"""Questions and answers as token ids, for the encoder and the decoder of BLIP."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from transformers import PreTrainedTokenizerBase

from shared.value_class import value_class
from shared.vqa.blip.config import TokenIds

IGNORED_LABEL = -100


@value_class
class TokenBatch:
    """Token ids and their mask (1 for a real token), both ``(B, T)`` and padded on the right."""

    ids_BT: torch.Tensor
    mask_BT: torch.Tensor

    def to(self, device: torch.device) -> TokenBatch:
        """Return the same batch on another device."""
        return TokenBatch(self.ids_BT.to(device), self.mask_BT.to(device))


@value_class
class AnswerBatch:
    """What the decoder reads and what it must say next, aligned, ``(B, T)``.

    ``inputs`` begin with the start token, where generation begins too; ``labels`` end with the
    separator and hold ``IGNORED_LABEL`` where the input is padding.
    """

    inputs: TokenBatch
    labels_BT: torch.Tensor

    def to(self, device: torch.device) -> AnswerBatch:
        """Return the same batch on another device."""
        return AnswerBatch(self.inputs.to(device), self.labels_BT.to(device))


def token_lists(
    tokenizer: PreTrainedTokenizerBase, questions: Sequence[str], max_tokens: int
) -> list[list[int]]:
    """Return the ids of each question with its special tokens, cut to ``max_tokens``."""
    # The same is asked about many pictures.
    distinct = list(dict.fromkeys(questions))
    encoded = tokenizer(distinct, truncation=True, max_length=max_tokens)["input_ids"]
    ids_of = dict(zip(distinct, encoded, strict=True))
    return [list(ids_of[question]) for question in questions]


def pad_right(rows: Sequence[Sequence[int]], pad_id: int) -> TokenBatch:
    """Stack rows of ids, filling short ones with ``pad_id`` on the right."""
    width = max(map(len, rows))
    ids = torch.full((len(rows), width), pad_id, dtype=torch.long)
    mask = torch.zeros((len(rows), width), dtype=torch.long)
    for index, row in enumerate(rows):
        ids[index, : len(row)] = torch.tensor(row, dtype=torch.long)
        mask[index, : len(row)] = 1
    return TokenBatch(ids, mask)


def question_batch(
    tokenizer: PreTrainedTokenizerBase, questions: Sequence[str], ids: TokenIds, max_tokens: int
) -> TokenBatch:
    """Tokenise questions into one padded batch."""
    return pad_right(token_lists(tokenizer, questions, max_tokens), ids.pad)


def answer_batch(
    tokenizer: PreTrainedTokenizerBase, answers: Sequence[str], ids: TokenIds, max_tokens: int
) -> AnswerBatch:
    """Tokenise answers so that every piece, and the end, is learned from the start token on."""
    encoded = tokenizer(
        list(answers), truncation=True, max_length=max_tokens - 1, add_special_tokens=False
    )
    pieces = [list(row) for row in encoded["input_ids"]]
    inputs = pad_right([[ids.start, *row] for row in pieces], ids.pad)
    labels = pad_right([[*row, ids.end] for row in pieces], IGNORED_LABEL).ids_BT
    return AnswerBatch(inputs, labels)
