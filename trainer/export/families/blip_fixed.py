"""A BLIP's graphs with fixed sizes, for engines that plan all memory before they run.

One question at a time, filled up to a length under its mask; the answer's keys and values have
places for its longest, and a step returns those of its own token alone. Shapes as in ``blip``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention
from transformers import BlipForQuestionAnswering

from shared.vqa.blip.heads import joined_heads, split_heads
from trainer.export.families.blip import (
    DECODER_STEP,
    IMAGE_ENCODER,
    QUESTION_ENCODER,
    ImageEncoder,
    QuestionEncoder,
)
from trainer.export.families.exportable import Exportable
from trainer.export.graphs import Graph

QUESTION_TOKENS: Final = 32
"""Besides a prompt's. Longer questions are cut: every token takes its time, asked or not. Questions
about products have ten."""


class FixedDecoderStep(nn.Module):
    """The token said last to the logits of the next, ``(1, V)``, and its own keys and values."""

    def __init__(self, blip: BlipForQuestionAnswering) -> None:
        super().__init__()
        self.tower = blip.text_decoder.bert
        self.head = blip.text_decoder.cls

    def forward(
        self,
        *,
        token: torch.Tensor,
        position: torch.Tensor,
        mask: torch.Tensor,
        said: torch.Tensor,
        question_keys: torch.Tensor,
        question_values: torch.Tensor,
        past_keys: torch.Tensor,
        past_values: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Decode one step.

        ``said`` is ``(1, S + 1)``: 1 for each place of the answer so far that is taken, and for the
        token itself, which stands last. The rest is as in ``blip.DecoderStep``, with one question.
        """
        seen_111T, said_111S = mask.bool()[:, None, None], said.bool()[:, None, None]
        states_11D = self.tower.embeddings(input_ids=token, position_ids=position)
        own_keys, own_values = [], []
        for number, layer in enumerate(self.tower.encoder.layer):
            attention, cross = layer.attention, layer.crossattention
            queries, fresh_keys, fresh_values = (
                split_heads(projection(states_11D), attention)
                for projection in (attention.self.query, attention.self.key, attention.self.value)
            )
            own_keys.append(fresh_keys)
            own_values.append(fresh_values)
            keys = torch.cat((past_keys[number], fresh_keys), dim=2)
            values = torch.cat((past_values[number], fresh_values), dim=2)
            context = scaled_dot_product_attention(queries, keys, values, attn_mask=said_111S)
            states_11D = attention.output(joined_heads(context), states_11D)
            queries = split_heads(cross.self.query(states_11D), cross)
            context = scaled_dot_product_attention(
                queries, question_keys[number], question_values[number], attn_mask=seen_111T
            )
            states_11D = cross.output(joined_heads(context), states_11D)
            states_11D = layer.feed_forward_chunk(states_11D)
        return self.head(states_11D)[:, 0], torch.stack(own_keys), torch.stack(own_values)


def with_fixed_sizes(exportable: Exportable) -> Exportable:
    """Return a BLIP as graphs of one size each, which ``shared.onnx_vqa.fixed`` runs."""
    blip, stated = exportable.model.blip, exportable.stated
    around = exportable.model.instruction.around("")
    prompt = exportable.model.tokenizer(around, add_special_tokens=False)["input_ids"]
    tokens = min(stated["max_question_tokens"], QUESTION_TOKENS + len(prompt))
    answer = stated["max_new_tokens"]
    encoder, step = (exportable.graphs[name] for name in (QUESTION_ENCODER, DECODER_STEP))
    side = blip.config.vision_config.image_size
    layers, _, heads, _, size = step.inputs["past_keys"].shape
    question, said = (layers, 1, heads, tokens, size), (layers, 1, heads, answer, size)
    ids = torch.zeros(1, tokens, dtype=torch.long)
    one = torch.zeros(1, 1, dtype=torch.long)
    graphs = {
        IMAGE_ENCODER: Graph(
            ImageEncoder(blip),
            {"pixels": torch.zeros(1, 3, side, side)},
            {},
            exportable.graphs[IMAGE_ENCODER].outputs,
        ),
        QUESTION_ENCODER: Graph(
            QuestionEncoder(blip),
            {**encoder.inputs, "ids": ids, "mask": torch.ones_like(ids)},
            {},
            encoder.outputs,
        ),
        DECODER_STEP: Graph(
            FixedDecoderStep(blip),
            {
                "token": one,
                "position": one.clone(),
                "mask": torch.ones(1, tokens, dtype=torch.long),
                "said": torch.ones(1, answer + 1, dtype=torch.long),
                "question_keys": torch.zeros(question),
                "question_values": torch.zeros(question),
                "past_keys": torch.zeros(said),
                "past_values": torch.zeros(said),
            },
            {},
            step.outputs,
        ),
    }
    return replace(
        exportable,
        graphs=graphs,
        stated={
            **stated,
            "max_question_tokens": tokens,
            "lengths": {"question": tokens, "answer": answer},
            "outputs": {name: list(graph.outputs) for name, graph in graphs.items()},
        },
    )
