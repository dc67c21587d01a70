"""What greedy decoding gives, in every family: tokens and their probability."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from transformers import PreTrainedModel
from transformers.generation import GenerateDecoderOnlyOutput, GenerateEncoderDecoderOutput


@dataclass(frozen=True, slots=True)
class Decoded:
    """The tokens said, up to the end token if there was one, and their log-probability."""

    tokens: tuple[int, ...]
    log_probability: float


def end_tokens(network: PreTrainedModel) -> frozenset[int]:
    """Return the tokens at which ``generate`` stops."""
    ends = network.generation_config.eos_token_id
    if ends is None:
        return frozenset()
    return frozenset(ends if isinstance(ends, list) else [ends])


def decoded_rows(
    output: GenerateDecoderOnlyOutput | GenerateEncoderDecoderOutput,
    prompt_length: int,
    ends: frozenset[int],
) -> list[Decoded]:
    """Cut what ``generate`` returned with its logits: after the prompt, and after the first end."""
    tokens_BS = output.sequences[:, prompt_length:]
    logits_BSV = torch.stack(output.logits, dim=1).float()
    log_p_BS = logits_BSV.log_softmax(-1).gather(-1, tokens_BS.unsqueeze(-1)).squeeze(-1)
    rows = []
    for tokens, log_p in zip(tokens_BS.tolist(), log_p_BS.tolist(), strict=True):
        stop = next((at for at, token in enumerate(tokens) if token in ends), None)
        counted = len(tokens) if stop is None else stop + 1
        rows.append(Decoded(tuple(tokens[:counted]), sum(log_p[:counted])))
    return rows
