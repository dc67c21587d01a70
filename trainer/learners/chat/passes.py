"""Passes of a network over rows: what is said where an answer's tokens have to come."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

import torch
from torch.nn.functional import pad
from transformers import PreTrainedModel

from shared.vqa.chat.features import ENCODED
from trainer.learners.chat.apart import OwnRows
from trainer.learners.chat.pictures import ImageOutputs
from trainer.learners.chat.rows import Before, Row, packed

_OF_IMAGE: Final = 1


def said_together(
    network: PreTrainedModel,
    rows: Sequence[Row],
    before: Sequence[Before],
    padding: int,
    encoded: Mapping[str, ImageOutputs],
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return logits ``(A, V)`` and labels ``(A,)`` of rows that questions share."""
    read = packed(rows, before, padding, network.dtype)
    positions_XRS = read.positions_XRS
    with _words_at(network, read.said_A):
        logits_1AV = network(
            input_ids=read.ids_RS,
            attention_mask=read.mask_R1SS,
            position_ids=positions_XRS if len(positions_XRS) > 1 else positions_XRS[0],
            use_cache=False,
            **{ENCODED: dict(encoded)},
        ).logits
    return logits_1AV[0], read.labels_A


def said_apart(
    network: PreTrainedModel, rows: OwnRows, encoded: Mapping[str, ImageOutputs]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return logits ``(A, V)`` and labels ``(A,)`` of rows of one question each."""
    with _words_at(network, rows.said_A):
        logits_1AV = network(**rows.inputs, use_cache=False, **{ENCODED: dict(encoded)}).logits
    return logits_1AV[0], rows.labels_A


def groups_of(types_P: torch.Tensor | None, ids_P: torch.Tensor) -> torch.Tensor:
    """Return which tokens see each other, ``(P,)``: those of an image, as Gemma 3's types say."""
    if types_P is None:
        return torch.full_like(ids_P, -1)
    of_image_P = types_P == _OF_IMAGE
    begins_P = of_image_P & ~pad(of_image_P[:-1], (1, 0))
    return torch.where(of_image_P, begins_P.cumsum(0) - 1, -1)


@contextmanager
def _words_at(network: PreTrainedModel, places_A: torch.Tensor) -> Iterator[None]:
    """Have the last layer say words at these places alone, counted through all rows.

    What a network does to its logits afterwards, such as to cap them, it still does.
    """

    def chosen(_: object, states: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
        [states_RSD] = states
        return (states_RSD.flatten(0, 1)[places_A][None],)

    hook = network.get_output_embeddings().register_forward_pre_hook(chosen)
    try:
        yield
    finally:
        hook.remove()
