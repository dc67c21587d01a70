"""Pictures of which only some patches are looked at."""

from __future__ import annotations

import torch
from transformers import BlipForQuestionAnswering

from shared.vqa.blip.forward import encode_images


def encode_some_patches(
    model: BlipForQuestionAnswering, pixels_NCHW: torch.Tensor, share: float
) -> torch.Tensor:
    """Return image features ``(N, L, D)`` of a share of the patches, another choice for each image.

    The class token comes first, as ever. As in Li et al. 2023, "Scaling Language-Image Pre-training
    via Masking", arXiv:2212.00794. The random numbers are torch's.
    """
    if share == 1:
        return encode_images(model, pixels_NCHW)
    vision = model.vision_model
    tokens_NLD: torch.Tensor = vision.embeddings(pixels_NCHW)
    patches = tokens_NLD.shape[1] - 1
    kept = max(1, round(patches * share))
    order_NK = torch.rand(len(tokens_NLD), patches, device=tokens_NLD.device).argsort(1)[:, :kept]
    chosen_NKD = order_NK[..., None].expand(-1, -1, tokens_NLD.shape[2])
    some_NLD = torch.cat([tokens_NLD[:, :1], tokens_NLD[:, 1:].gather(1, chosen_NKD)], dim=1)
    states: torch.Tensor = vision.encoder(inputs_embeds=some_NLD).last_hidden_state
    features: torch.Tensor = vision.post_layernorm(states)
    return features
