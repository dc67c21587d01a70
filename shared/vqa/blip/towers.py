"""BLIP's three towers for inference, written out so that nothing is computed twice or for padding.

The modules of the loaded model do the arithmetic (so adapters and 4-bit weights are in it); only
the order of the calls is ours:

- vision: as in the model, with fused attention instead of a stored attention matrix;
- questions: the real tokens of all questions stand in one row, packed, those of one image side by
  side; they meet its keys and values in one product, which are neither computed again nor copied
  for each question;
- answers: the keys and values of the question states are computed once, those of the answer so far
  are kept, and an answer that has ended leaves the batch.

Shapes, besides those of the package: P packed tokens, K heads, E = D / K, S answer tokens so far.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import BlipForQuestionAnswering
from transformers.models.blip.modeling_blip_text import BlipTextAttention

from shared.value_class import value_class
from shared.vqa.blip.config import TokenIds
from shared.vqa.blip.heads import joined_heads, split_heads
from shared.vqa.greedy import Decoded


@value_class
class KeysAndValues:
    """Keys and values of one attention layer, both ``(.., K, tokens, E)``."""

    keys: torch.Tensor
    values: torch.Tensor


@value_class
class Packed:
    """Questions without padding: all their tokens in one row, question after question.

    ``mask_BT`` marks where each real token stands in the padded grid; ``image_spans`` say which
    tokens look at which image: (image, first token, end).
    """

    ids_P: torch.Tensor
    positions_P: torch.Tensor
    mask_BT: torch.Tensor
    image_spans: tuple[tuple[int, int, int], ...]


def pack(rows: Sequence[Sequence[int]], image_of: Sequence[int], device: torch.device) -> Packed:
    """Pack token ids; questions of one image must stand together."""
    mask_BT = torch.zeros((len(rows), max(map(len, rows))), dtype=torch.bool)
    spans: list[tuple[int, int, int]] = []
    end = 0
    for index, (row, image) in enumerate(zip(rows, image_of, strict=True)):
        mask_BT[index, : len(row)] = True
        first, end = end, end + len(row)
        if spans and spans[-1][0] == image:
            first = spans.pop()[1]
        spans.append((image, first, end))
    ids_P = torch.tensor([token for row in rows for token in row])
    positions_P = torch.tensor([position for row in rows for position in range(len(row))])
    return Packed(ids_P.to(device), positions_P.to(device), mask_BT.to(device), tuple(spans))


def image_features(model: BlipForQuestionAnswering, pixels_NCHW: torch.Tensor) -> torch.Tensor:
    """Return image features ``(N, L, D)``; the class token comes first."""
    tower = model.vision_model
    states_NLD = tower.embeddings(pixels_NCHW)
    for layer in tower.encoder.layers:
        attention = layer.self_attn
        mixed = attention.qkv(layer.layer_norm1(states_NLD))
        queries, keys, values = (
            part.unflatten(-1, (-1, attention.head_dim)).transpose(1, 2)
            for part in mixed.chunk(3, dim=-1)
        )
        seen = scaled_dot_product_attention(queries, keys, values, scale=attention.scale)
        states_NLD = states_NLD + attention.projection(joined_heads(seen))
        states_NLD = states_NLD + layer.mlp(layer.layer_norm2(states_NLD))
    features_NLD: torch.Tensor = tower.post_layernorm(states_NLD)
    return features_NLD


def image_keys_and_values(
    model: BlipForQuestionAnswering, features_NLD: torch.Tensor
) -> tuple[KeysAndValues, ...]:
    """Return what the question tower's cross-attention reads of each image, layer by layer."""
    return tuple(
        KeysAndValues(
            split_heads(cross.self.key(features_NLD), cross),
            split_heads(cross.self.value(features_NLD), cross),
        )
        for cross in (layer.crossattention for layer in model.text_encoder.encoder.layer)
    )


def question_states(
    model: BlipForQuestionAnswering, images: Sequence[KeysAndValues], questions: Packed
) -> torch.Tensor:
    """Return question states, packed: ``(P, D)``."""
    tower = model.text_encoder
    states_PD = tower.embeddings(
        input_ids=questions.ids_P[None], position_ids=questions.positions_P[None]
    )[0]
    for layer, image in zip(tower.encoder.layer, images, strict=True):
        attention = layer.attention
        context_PD = _among_themselves(attention, states_PD, questions.mask_BT)
        states_PD = attention.output(context_PD, states_PD)
        cross = layer.crossattention
        context_PD = _at_images(cross, states_PD, image, questions.image_spans)
        states_PD = cross.output(context_PD, states_PD)
        states_PD = layer.feed_forward_chunk(states_PD)
    result: torch.Tensor = states_PD
    return result


def decode(
    model: BlipForQuestionAnswering,
    states_PD: torch.Tensor,
    mask_BT: torch.Tensor,
    ids: TokenIds,
    max_new_tokens: int,
) -> list[Decoded]:
    """Say the likeliest token after the other, for each question until its end token."""
    layers = model.text_decoder.bert.encoder.layer
    heard = [
        KeysAndValues(
            split_heads(_padded(cross.self.key(states_PD), mask_BT), cross),
            split_heads(_padded(cross.self.value(states_PD), mask_BT), cross),
        )
        for cross in (layer.crossattention for layer in layers)
    ]
    device, batch = states_PD.device, len(mask_BT)
    answers: list[KeysAndValues | None] = [None] * len(layers)
    tokens_B = torch.full((batch,), ids.start, device=device)
    live_B = torch.arange(batch, device=device)
    steps: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []
    for position in range(max_new_tokens):
        states_BD = _answer_step(model, tokens_B, heard, answers, mask_BT, position=position)
        logits_BV = model.text_decoder.cls(states_BD).float()
        log_p_B, tokens_B = logits_BV.log_softmax(-1).max(-1)
        steps.append((live_B, tokens_B, log_p_B))
        going_B = tokens_B != ids.end
        if not going_B.any():
            break
        if not going_B.all():
            going = going_B.nonzero().squeeze(1)
            tokens_B, live_B, mask_BT = tokens_B[going], live_B[going], mask_BT[going]
            heard = [_rows(pair, going) for pair in heard]
            answers = [_rows(pair, going) if pair else None for pair in answers]
    return _collected(steps, batch)


def _answer_step(
    model: BlipForQuestionAnswering,
    tokens_B: torch.Tensor,
    heard: Sequence[KeysAndValues],
    answers: list[KeysAndValues | None],
    mask_BT: torch.Tensor,
    *,
    position: int,
) -> torch.Tensor:
    """Return the states that the next token is read from, ``(B, D)``; ``answers`` grow in place."""
    tower = model.text_decoder.bert
    position_1 = torch.tensor([[position]], device=tokens_B.device)
    states_B1D = tower.embeddings(input_ids=tokens_B[:, None], position_ids=position_1)
    for number, layer in enumerate(tower.encoder.layer):
        attention = layer.attention
        fresh = KeysAndValues(
            split_heads(attention.self.key(states_B1D), attention),
            split_heads(attention.self.value(states_B1D), attention),
        )
        now = answers[number] = _joined(answers[number], fresh)
        queries = split_heads(attention.self.query(states_B1D), attention)
        context = scaled_dot_product_attention(queries, now.keys, now.values)
        states_B1D = attention.output(joined_heads(context), states_B1D)
        cross, question = layer.crossattention, heard[number]
        queries = split_heads(cross.self.query(states_B1D), cross)
        context = scaled_dot_product_attention(
            queries, question.keys, question.values, attn_mask=mask_BT[:, None, None, :]
        )
        states_B1D = cross.output(joined_heads(context), states_B1D)
        states_B1D = layer.feed_forward_chunk(states_B1D)
    result: torch.Tensor = states_B1D[:, 0]
    return result


def _among_themselves(
    attention: BlipTextAttention, states_PD: torch.Tensor, mask_BT: torch.Tensor
) -> torch.Tensor:
    """Self-attention within each question: ``(P, D)``."""
    queries, keys, values = (
        split_heads(_padded(projection(states_PD), mask_BT), attention)
        for projection in (attention.self.query, attention.self.key, attention.self.value)
    )
    context = scaled_dot_product_attention(
        queries, keys, values, attn_mask=mask_BT[:, None, None, :]
    )
    return joined_heads(context)[mask_BT]


def _at_images(
    cross: BlipTextAttention,
    states_PD: torch.Tensor,
    image: KeysAndValues,
    spans: Sequence[tuple[int, int, int]],
) -> torch.Tensor:
    """Cross-attention of all tokens about one image in one product: ``(P, D)``."""
    queries_KPE = split_heads(cross.self.query(states_PD)[None], cross)[0]
    return torch.cat(
        [
            joined_heads(
                scaled_dot_product_attention(
                    queries_KPE[None, :, first:end],
                    image.keys[index, None],
                    image.values[index, None],
                )
            )[0]
            for index, first, end in spans
        ]
    )


def _padded(states_PD: torch.Tensor, mask_BT: torch.Tensor) -> torch.Tensor:
    grid_BTD = states_PD.new_zeros((*mask_BT.shape, states_PD.shape[-1]))
    grid_BTD[mask_BT] = states_PD
    return grid_BTD


def _joined(before: KeysAndValues | None, fresh: KeysAndValues) -> KeysAndValues:
    if before is None:
        return fresh
    return KeysAndValues(
        torch.cat((before.keys, fresh.keys), dim=2), torch.cat((before.values, fresh.values), dim=2)
    )


def _rows(pair: KeysAndValues, rows: torch.Tensor) -> KeysAndValues:
    return KeysAndValues(pair.keys[rows], pair.values[rows])


def _collected(
    steps: Sequence[tuple[torch.Tensor, torch.Tensor, torch.Tensor]], batch: int
) -> list[Decoded]:
    tokens: list[list[int]] = [[] for _ in range(batch)]
    log_p = [0.0] * batch
    for live_B, tokens_B, log_p_B in steps:
        for row, token, value in zip(
            live_B.tolist(), tokens_B.tolist(), log_p_B.tolist(), strict=True
        ):
            log_p[row] += value
            tokens[row].append(token)
    return [Decoded(tuple(row), value) for row, value in zip(tokens, log_p, strict=True)]
