"""Where a model looked: regions of image patches behind an answer and behind its question.

The answer's region follows Grad-CAM on cross-attention (Selvaraju et al. 2017, arXiv:1610.02391,
as applied to cross-attention by Li et al. 2021, "ALBEF", arXiv:2107.07651): the attention of the
question's tokens to the patches, weighted by the gradient of the answer's log-likelihood, averaged
over the heads, so that they may outvote one another, and clipped at zero. The question's region is
the plain attention of the same tokens: what the question makes the model look at, whatever the
answer.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import BlipForQuestionAnswering

from shared.value_class import value_class
from shared.vqa.blip.config import token_ids
from shared.vqa.blip.forward import answer_logits
from shared.vqa.blip.inference import ImageMemory
from shared.vqa.blip.text import IGNORED_LABEL, answer_batch, question_batch
from shared.vqa.inputs.question_length import MAX_QUESTION_TOKENS
from shared.vqa.loaded import LoadedModel

REGION_MASS = 0.5
"""A region is the fewest patches that hold this share of a map's total.

With this share and this layer the overlap told the right picture from another on all three kinds
of pictures tried, with larger shares not where the object is small: figures in ``docs/metrics.md``,
made by ``python -m tests.bench.grounding``.
"""

REGIONS = f"gradient x attention, mean of heads, layer two thirds up, region mass {REGION_MASS:g}"
"""How regions are made, for signatures: overlaps of two ways must not stand side by side."""


@value_class
class Regions:
    """Two sets of patches as boolean arrays of length P, and the maps they come from."""

    answer_map_P: NDArray[np.float32]
    question_map_P: NDArray[np.float32]

    @property
    def answer_region(self) -> NDArray[np.bool_]:
        """The patches behind the answer, ``(P,)``."""
        return strongest_patches(self.answer_map_P)

    @property
    def question_region(self) -> NDArray[np.bool_]:
        """The patches behind the question, ``(P,)``."""
        return strongest_patches(self.question_map_P)


def default_layer(layers: int) -> int:
    """Return the cross-attention layer to read, two thirds up: 8 of 12, counted from 1."""
    return math.ceil(2 * layers / 3) - 1


def strongest_patches(map_P: NDArray[np.float32], mass: float = REGION_MASS) -> NDArray[np.bool_]:
    """Return the fewest patches that hold ``mass`` of the map's total; none of an all-zero map."""
    region = np.zeros(map_P.shape, dtype=np.bool_)
    total = float(map_P.sum())
    if total <= 0:
        return region
    order = np.argsort(-map_P, kind="stable")
    needed = int(np.searchsorted(np.cumsum(map_P[order]), mass * total)) + 1
    region[order[:needed]] = True
    return region


def grounding_regions(
    model: LoadedModel,
    memory: ImageMemory,
    image_of: Sequence[int],
    questions: Sequence[str],
    answers: Sequence[str],
    *,
    layer: int | None = None,
) -> list[Regions]:
    """Return the regions behind each answer and its question; maps have one value a patch.

    ``layer`` counts the question encoder's cross-attention layers from 0. An empty answer has an
    all-zero answer map.
    """
    if not questions:
        return []
    blip, ids = model.blip, token_ids(model.blip.config)
    asked = model.asked(questions)
    tokens = question_batch(model.tokenizer, asked, ids, model.max_question_tokens)
    tokens = tokens.to(model.device)
    answer_tokens = answer_batch(model.tokenizer, answers, ids, MAX_QUESTION_TOKENS).to(
        model.device
    )
    with torch.inference_mode(mode=False), torch.enable_grad():
        features_BLD = memory.features_NLD[torch.tensor(image_of, device=model.device)].clone()
        encoded = blip.text_encoder(
            input_ids=tokens.ids_BT,
            attention_mask=tokens.mask_BT,
            encoder_hidden_states=features_BLD.requires_grad_(),
            output_attentions=True,
        )
        chosen = default_layer(len(encoded.cross_attentions)) if layer is None else layer
        attention_BHTL = encoded.cross_attentions[chosen]
        logits_BTV = answer_logits(blip, encoded.last_hidden_state, tokens, answer_tokens.inputs)
        # The end token is left out: it says that the answer is over, not what it is.
        labels_BT = answer_tokens.labels_BT.masked_fill(
            answer_tokens.labels_BT == ids.end, IGNORED_LABEL
        )
        log_likelihood = -torch.nn.functional.cross_entropy(
            logits_BTV.flatten(0, 1).float(),
            labels_BT.flatten(),
            ignore_index=IGNORED_LABEL,
            reduction="sum",
        )
        # Rows of a batch do not touch each other, so one backward pass serves them all.
        (gradient_BHTL,) = torch.autograd.grad(log_likelihood, attention_BHTL)
    attention_BHTL = attention_BHTL.detach()
    weighted_BTL = (gradient_BHTL * attention_BHTL).mean(1).clamp(min=0)
    weighted_BP = _as_array(patch_map(weighted_BTL, tokens.mask_BT))
    plain_BP = _as_array(patch_map(attention_BHTL.mean(1), tokens.mask_BT))
    return [
        Regions(answer_map, question_map)
        for answer_map, question_map in zip(weighted_BP, plain_BP, strict=True)
    ]


@contextmanager
def cross_attentions(
    blip: BlipForQuestionAnswering, layers: Sequence[int]
) -> Iterator[list[torch.Tensor]]:
    """Yield a list that the question encoder's next pass fills, differentiably, layer by layer.

    Each is the attention to the image's tokens ``(B, H, T, L)``, before dropout. BLIP's text
    towers compute it in any case, whatever attention the rest of the model uses.
    """
    seen: list[torch.Tensor] = []

    def keep(_: torch.nn.Module, __: object, output: tuple[torch.Tensor, torch.Tensor]) -> None:
        seen.append(output[1])

    with ExitStack() as hooks:
        for layer in layers:
            attention = blip.text_encoder.encoder.layer[layer].crossattention.self
            hooks.callback(attention.register_forward_hook(keep).remove)
        yield seen


def patch_map(attention_BTL: torch.Tensor, mask_BT: torch.Tensor) -> torch.Tensor:
    """Return attention summed over the words, ``(B, P)``: no special tokens, no class token."""
    inner_BT = mask_BT.clone()
    inner_BT[:, 0] = 0
    inner_BT.scatter_(1, (mask_BT.sum(1, keepdim=True) - 1), 0)
    return (attention_BTL * inner_BT.unsqueeze(-1)).sum(1)[:, 1:]


def _as_array(map_BP: torch.Tensor) -> NDArray[np.float32]:
    result: NDArray[np.float32] = map_BP.float().cpu().numpy()
    return result
