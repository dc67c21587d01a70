"""An advisor: chooses an answer by what a teacher sees, and tells how sure it is of each.

It learns in minutes what a model of answers in word pieces takes hours for, and its doubts are
better targets than the one answer that somebody wrote (Hinton et al. 2015, "Distilling the
Knowledge in a Neural Network", arXiv:1503.02531).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from shared.vqa.blip.text import TokenBatch

WIDTH: Final = 256
HEADS: Final = 8
LOOKS: Final = 2
"""How often it looks at a picture, each time by what it saw before."""
DROPOUT: Final = 0.3
SEEN_AT_LEAST: Final = 3
"""Answers that training pairs give less often are not chosen among."""


def choosable(answers: Sequence[str]) -> tuple[str, ...]:
    """Return the answers to choose among, by how often they are given."""
    counted = Counter(answers)
    return tuple(answer for answer, count in counted.most_common() if count >= SEEN_AT_LEAST)


class Reader(nn.Module):
    """A question as one vector."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.words = nn.Embedding(vocabulary, WIDTH)
        self.states = nn.GRU(WIDTH, WIDTH // 2, bidirectional=True, batch_first=True)
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, questions: TokenBatch) -> torch.Tensor:
        """Return ``(B, D)``, the mean over each question's tokens."""
        words_BTD = self.words(questions.ids_BT)
        mask_BT1 = questions.mask_BT[..., None].to(words_BTD.dtype)
        lengths_B = questions.mask_BT.sum(1)
        # Of a batch none sees the padding, and on a card autocast would have it in float16.
        with torch.autocast(words_BTD.device.type, enabled=False):
            packed = pack_padded_sequence(
                self.dropout(words_BTD), lengths_B.cpu(), batch_first=True, enforce_sorted=False
            )
            states_BTD, _ = pad_packed_sequence(
                self.states(packed)[0], batch_first=True, total_length=words_BTD.shape[1]
            )
        total_BD: torch.Tensor = ((states_BTD + words_BTD) * mask_BT1).sum(1)
        mean_BD: torch.Tensor = total_BD / mask_BT1.sum(1)
        return mean_BD


class Chooser(nn.Module):
    """Scores of all answers, by a question as it was read and by what is seen of its picture."""

    def __init__(self, answers: int, places: int, channels: int, whole: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.keys, self.values = (nn.Linear(channels, WIDTH) for _ in range(2))
        self.places = nn.Parameter(torch.zeros(places, WIDTH))
        self.looks = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(LOOKS))
        self.whole = nn.Linear(whole, WIDTH)
        self.dropout = nn.Dropout(DROPOUT)
        self.choice = nn.Sequential(
            nn.LayerNorm(WIDTH * (2 + LOOKS)),
            *_step(WIDTH * (2 + LOOKS), 2 * WIDTH),
            *_step(2 * WIDTH, 2 * WIDTH),
            nn.Dropout(DROPOUT),
            nn.Linear(2 * WIDTH, answers),
        )

    def forward(
        self,
        read_BD: torch.Tensor,
        tokens_NLK: torch.Tensor,
        whole_NK: torch.Tensor,
        image_of_B: torch.Tensor,
    ) -> torch.Tensor:
        """Return scores ``(B, A)``, logits of one choice, of B questions about N pictures."""
        seen_NLK = self.norm(tokens_NLK)
        keys_NHLD = _heads(self.keys(self.dropout(seen_NLK)) + self.places)
        values_NHLD = _heads(self.values(self.dropout(seen_NLK)))
        place_of_B = places_of(image_of_B)
        parts = [read_BD, self.whole(self.dropout(whole_NK))[image_of_B]]
        state_BD = read_BD
        for look in self.looks:
            asked_BD = look(state_BD)
            asked_NMD = asked_BD.new_zeros(len(tokens_NLK), int(place_of_B.max()) + 1, WIDTH)
            asked_NMD[image_of_B, place_of_B] = asked_BD
            found_NHMD = scaled_dot_product_attention(_heads(asked_NMD), keys_NHLD, values_NHLD)
            found_BD = found_NHMD.transpose(1, 2).flatten(2)[image_of_B, place_of_B]
            parts.append(found_BD)
            state_BD = state_BD + found_BD
        scores_BA: torch.Tensor = self.choice(torch.cat(parts, dim=-1))
        return scores_BA


def places_of(image_of_B: torch.Tensor) -> torch.Tensor:
    """Return for each question how many of its picture's stand before it."""
    before: Counter[int] = Counter()
    places = []
    for image in image_of_B.tolist():
        places.append(before[image])
        before[image] += 1
    return torch.tensor(places, device=image_of_B.device)


def _step(before: int, after: int) -> tuple[nn.Module, ...]:
    return nn.Dropout(DROPOUT), nn.Linear(before, after), nn.GELU()


def _heads(states_NLD: torch.Tensor) -> torch.Tensor:
    states_NHLD: torch.Tensor = states_NLD.unflatten(-1, (HEADS, -1)).transpose(1, 2)
    return states_NHLD
