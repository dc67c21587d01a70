"""Greedy decoding, the same for every family: tokens, their probability, and the answers."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.generation import GenerateDecoderOnlyOutput, GenerateEncoderDecoderOutput

from shared.value_class import value_class
from shared.vqa.answerer import Answer


@value_class
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


def generated(network: PreTrainedModel, max_new_tokens: int, **inputs: object) -> list[Decoded]:
    """Return what the network's own ``generate`` says greedily to each row of ``inputs``."""
    output = network.generate(
        **inputs,
        max_new_tokens=max_new_tokens,
        do_sample=False,
        num_beams=1,
        return_dict_in_generate=True,
        output_logits=True,
    )
    # An encoder-decoder says a start token first, a decoder repeats the prompt.
    prompt_length = output.sequences.shape[1] - len(output.logits)
    return _rows(output, prompt_length, end_tokens(network))


def answers_of(tokenizer: PreTrainedTokenizerBase, decoded: Sequence[Decoded]) -> list[Answer]:
    """Return the answers that the tokens stand for."""
    texts = tokenizer.batch_decode(
        [list(answer.tokens) for answer in decoded], skip_special_tokens=True
    )
    return [
        Answer(text.strip(), math.exp(answer.log_probability))
        for text, answer in zip(texts, decoded, strict=True)
    ]


def _rows(
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
