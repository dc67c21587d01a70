"""What an advisor would answer: targets of a first word piece, and answers to further questions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch.nn.functional import cross_entropy, normalize
from transformers import PreTrainedTokenizerBase

from shared.errors import InputError
from shared.records import QAPair
from shared.vqa.blip.text import IGNORED_LABEL, AnswerBatch
from trainer.pretraining.lessons import QUESTIONS
from trainer.pretraining.teaching.advisor import SEEN_AT_LEAST, choosable

NEIGHBOURS: Final = 12
"""Pictures that look most alike, whose questions are asked of each other."""


@dataclass(frozen=True)
class Answers:
    """The answers to choose among, and the first word piece of each, ``(A,)``."""

    texts: tuple[str, ...]
    first_A: torch.Tensor

    @classmethod
    def of(cls, texts: Sequence[str], tokenizer: PreTrainedTokenizerBase) -> Answers:
        """Return those that are given often enough.

        Raises:
            InputError: none is.
        """
        often = choosable(texts)
        ids = tokenizer(list(often), add_special_tokens=False)["input_ids"] if often else []
        first = {text: pieces[0] for text, pieces in zip(often, ids, strict=True) if pieces}
        if not first:
            raise InputError(
                f"no answer of the training pairs is given {SEEN_AT_LEAST} times, so that a "
                "teacher has none to advise; leave teaching.teacher out"
            )
        return cls(tuple(first), torch.tensor([*first.values()]))

    def numbers(self, texts: Sequence[str]) -> list[int]:
        """Return the number of each answer, ``IGNORED_LABEL`` where it is not one of them."""
        known = {text: number for number, text in enumerate(self.texts)}
        return [known.get(text, IGNORED_LABEL) for text in texts]

    def first_pieces(self, chances_BA: torch.Tensor, vocabulary: int) -> torch.Tensor:
        """Return the chance of each word piece to come first, ``(B, V)``."""
        pieces_BV = chances_BA.new_zeros(len(chances_BA), vocabulary)
        return pieces_BV.index_add_(1, self.first_A.to(chances_BA.device), chances_BA)


def neighbours_of(mean_NK: torch.Tensor) -> torch.Tensor:
    """Return the numbers ``(N, neighbours)`` of the pictures that look most like each.

    ``mean_NK`` is what a teacher sees of each on average, standardised.
    """
    mean_NK = normalize(mean_NK, dim=1)
    count = min(NEIGHBOURS, len(mean_NK) - 1)
    parts = [(some_NK @ mean_NK.T).topk(count + 1, dim=1).indices for some_NK in mean_NK.split(256)]
    found_NX = torch.cat(parts)
    itself_NX = found_NX == torch.arange(len(found_NX))[:, None]
    # A twin may come before the picture itself: then the last one is left out.
    itself_NX[~itself_NX.any(1), -1] = True
    return found_NX[~itself_NX].view(len(found_NX), count)


def further_questions(
    questions: Sequence[Sequence[QAPair]],
    neighbours: Sequence[int],
    own: Sequence[QAPair],
    count: int,
    random: np.random.Generator,
) -> list[str]:
    """Draw questions that were asked of a picture's neighbours and not of itself."""
    asked = {QUESTIONS.fold(pair.question) for pair in own}
    others = {
        pair.question
        for image in neighbours
        for pair in questions[image]
        if QUESTIONS.fold(pair.question) not in asked
    }
    ordered = sorted(others)
    return [ordered[index] for index in random.permutation(len(ordered))[:count]]


def advised_loss_sum(
    logits_BTV: torch.Tensor,
    answers: AnswerBatch,
    first_BV: torch.Tensor,
    share_B: torch.Tensor,
    label_smoothing: float,
) -> torch.Tensor:
    """Return the cross-entropy of all answer tokens (a scalar, a sum).

    The target of a first token is, by ``share_B``, ``first_BV``, which is not smoothed, and else
    the answer's own.
    """
    logits_BTV = logits_BTV.float()
    own_BT = cross_entropy(
        logits_BTV.flatten(0, 1),
        answers.labels_BT.flatten(),
        ignore_index=IGNORED_LABEL,
        label_smoothing=label_smoothing,
        reduction="none",
    ).view(answers.labels_BT.shape)
    advised_B = -(first_BV * logits_BTV[:, 0].log_softmax(-1)).sum(-1)
    return own_BT.sum() + (share_B * (advised_B - own_BT[:, 0])).sum()
