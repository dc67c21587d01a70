"""Tries, before training, whether questions that share a row are read as each would be alone.

The mask is ours, and a network may have a rule of its own for which tokens see each other. A short
prompt tells, as ``shared.vqa.chat.proof`` has it for answering.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from transformers import PreTrainedModel

from shared.vqa.chat.abilities import follows_the_shape
from shared.vqa.chat.proof import ShortPrompt, off_by
from trainer.learners.chat.apart import TYPES
from trainer.learners.chat.passes import groups_of, said_together
from trainer.learners.chat.rows import Before, Row, Turn


@torch.inference_mode()
def sharing_differs_by(
    network: PreTrainedModel,
    prompts: Sequence[ShortPrompt],
    groups: Callable[[torch.Tensor | None, torch.Tensor], torch.Tensor] = groups_of,
) -> float:
    """Return how far questions in one row are from whole prompts, see ``off_by``."""
    first = prompts[0]
    ids_P = first.inputs["input_ids"][0, : first.prefix]
    axes = 3 if follows_the_shape(network) else 1
    positions_XP = torch.arange(first.prefix, device=ids_P.device).expand(axes, -1)
    types_1T = first.inputs.get(TYPES)
    types_P = None if types_1T is None else types_1T[0, : first.prefix]
    before = Before(ids_P, positions_XP, groups(types_P, ids_P))
    # What an answer begins with is not read, only said.
    turns = tuple(Turn(tuple(prompt.ids[first.prefix :]), (0,)) for prompt in prompts)
    logits_AV, _ = said_together(network, [Row(0, turns)], [before], 0, {})
    return off_by(network, prompts, logits_AV.float())
