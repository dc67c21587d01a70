"""What greedy decoding gives, in every family: tokens and their probability."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True, slots=True)
class Decoded:
    """The tokens said, without the end token, and the log-probability of saying them and ending."""

    tokens: tuple[int, ...]
    log_probability: float


def decoded_rows(
    tokens_BS: torch.Tensor, logits_BSV: torch.Tensor, ends: frozenset[int]
) -> list[Decoded]:
    """Cut what ``generate`` returned for each row after the first of its end tokens."""
    log_p_BS = logits_BSV.float().log_softmax(-1).gather(-1, tokens_BS.unsqueeze(-1)).squeeze(-1)
    rows = []
    for tokens, log_p in zip(tokens_BS.tolist(), log_p_BS.tolist(), strict=True):
        stop = next((at for at, token in enumerate(tokens) if token in ends), None)
        counted = len(tokens) if stop is None else stop + 1
        rows.append(Decoded(tuple(tokens[:stop]), sum(log_p[:counted])))
    return rows
