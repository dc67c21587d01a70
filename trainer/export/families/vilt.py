"""ViLT as two ONNX graphs: the patch embedding, once per image, and the classifier.

Words and patches meet in the first layer, so that the layers run for every question, see
``shared.vqa.vilt``; all questions of a batch are about one image.
"""

from __future__ import annotations

import torch
from torch import nn
from transformers import ViltForQuestionAnswering

from shared.onnx_vqa.manifest import VILT
from shared.vqa.loaded import LoadedModel
from shared.vqa.vilt import patch_embeddings
from trainer.export.families.exportable import Exportable
from trainer.export.families.pixels import image_rules
from trainer.export.families.questions import prompt_rules
from trainer.export.graphs import Graph
from trainer.export.rows import Rows

_B, _T = 3, 7
_HIGH, _WIDE = 2, 5
"""Patches of the image to trace with."""
_WORDS, _PATCHES = 0, 1
"""Of the table of modalities."""


class PatchEmbedding(nn.Module):
    """Pixels ``(1, C, H, W)`` to the class token and patches with their positions, ``(L, D)``."""

    def __init__(self, vilt: ViltForQuestionAnswering) -> None:
        super().__init__()
        self.vilt = vilt

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Embed the image's patches."""
        return patch_embeddings(self.vilt, pixels)


class Classifier(nn.Module):
    """Questions about one image to the logits of every label, ``(B, V)``."""

    def __init__(self, vilt: ViltForQuestionAnswering) -> None:
        super().__init__()
        self.tower, self.classifier = vilt.vilt, vilt.classifier

    def forward(self, ids: torch.Tensor, mask: torch.Tensor, patches: torch.Tensor) -> torch.Tensor:
        """Read the questions; ``ids`` and ``mask`` are ``(B, T)``, ``patches`` ``(L, D)``."""
        embeddings = self.tower.embeddings
        modalities_2D = embeddings.token_type_embeddings.weight
        words_BTD = embeddings.text_embeddings(input_ids=ids, token_type_ids=torch.zeros_like(ids))
        words_BTD = words_BTD + modalities_2D[_WORDS]
        image_BLD = (patches + modalities_2D[_PATCHES]).expand(len(ids), -1, -1)
        seen_BS = torch.cat((mask.bool(), torch.ones_like(image_BLD[..., 0]).bool()), dim=1)
        bias_B11S = torch.zeros(seen_BS.shape).masked_fill(~seen_BS, _LOWEST)[:, None, None]
        states_BSD = self.tower.encoder(
            torch.cat((words_BTD, image_BLD), dim=1), attention_mask=bias_B11S
        ).last_hidden_state
        # As the pooler does, but with an axis more: a product of two matrices is not packed.
        pooler = self.tower.pooler
        first_B1D = self.tower.layernorm(states_BSD)[:, :1]
        pooled_B1D = pooler.activation(pooler.dense(first_B1D))
        logits_BV: torch.Tensor = self.classifier(pooled_B1D)[:, 0]
        return logits_BV


_LOWEST = torch.finfo(torch.float32).min


def exportable_vilt(model: LoadedModel) -> Exportable:
    """Return a ViLT's graphs.

    Raises:
        InputError: the model's preprocessing does something else than the runtime can.
    """
    config = model.network.config
    patch, labels = config.patch_size, config.id2label
    return Exportable(
        model,
        VILT,
        {
            "image_encoder": Graph(
                PatchEmbedding(model.network),
                {"pixels": torch.zeros(1, config.num_channels, _HIGH * patch, _WIDE * patch)},
                {"pixels": {2: "H", 3: "W"}},
                ("patches",),
                Rows.MANY,
            ),
            "classifier": Graph(
                Classifier(model.network),
                {
                    "ids": torch.zeros(_B, _T, dtype=torch.long),
                    "mask": torch.ones(_B, _T, dtype=torch.long),
                    "patches": torch.zeros(_HIGH * _WIDE + 1, config.hidden_size),
                },
                {"ids": {0: "B", 1: "T"}, "mask": {0: "B", 1: "T"}, "patches": {0: "L"}},
                ("logits",),
                Rows.MANY,
            ),
        },
        {
            "labels": [labels[number] for number in range(len(labels))],
            "prompt": prompt_rules(model.instruction.template),
            "max_question_tokens": min(model.max_question_tokens, config.max_position_embeddings),
            "image": image_rules(model.image_processor),
        },
    )
