"""ViLT for VQA: one stream of words and patches, and a classifier over known answers.

Words and patches meet in the first layer, so that little of an image can be computed once for all
its questions: the patch embedding with its position. In ViLT-B/32 it is about 3 % of
the work (3,072 x 768 multiplications a patch, against 12 x 768 x 768 in each of 12 layers); the
layers run again for every question. Images keep their shape, so that their
numbers of patches differ; in a batch they are padded, and the mask is the true one.
Model: Kim et al. 2021, "ViLT", arXiv:2102.03334.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from PIL import Image
from torch.nn.functional import interpolate
from torch.nn.utils.rnn import pad_sequence
from transformers import ViltForQuestionAnswering

from shared.vqa.answerer import Answer, Answerer
from shared.vqa.inputs.preprocessing import pixel_values, to_device
from shared.vqa.loaded import LoadedModel

PatchMemory = tuple[torch.Tensor, ...]
"""Each image's class token and patches with their positions, ``(L, D)``."""


class ViltAnswerer(Answerer[torch.Tensor, PatchMemory]):
    """Keeps each image's patch embeddings."""

    computed_once = "patch embeddings with their positions"

    def prepare(self, image: Image.Image) -> torch.Tensor:
        """Return pixels ``(1, C, H, W)`` in the image's own shape."""
        return pixel_values(self.model.image_processor, [image])

    @torch.inference_mode()
    def remember(self, images: Sequence[torch.Tensor]) -> PatchMemory:
        """Embed the patches of each image."""
        network, device = self.model.network, self.model.device
        return tuple(
            patch_embeddings(network, to_device(pixels_1CHW, device, network.dtype))
            for pixels_1CHW in images
        )

    @torch.inference_mode()
    def answer(
        self, memory: PatchMemory, image_of: Sequence[int], questions: Sequence[str]
    ) -> list[Answer]:
        """Return the likeliest of the classifier's answers and its (sigmoid) probability."""
        if not questions:
            return []
        labels = self.model.network.config.id2label
        logits_BV = answer_logits(self.model, memory, image_of, questions)
        best_B = logits_BV.argmax(-1).tolist()
        probability_BV = logits_BV.sigmoid()
        return [
            Answer(labels[best], float(probability_BV[row, best]))
            for row, best in enumerate(best_B)
        ]


def answer_logits(
    model: LoadedModel,
    patches: Sequence[torch.Tensor],
    image_of: Sequence[int],
    questions: Sequence[str],
) -> torch.Tensor:
    """Return the logits ``(B, V)`` of every label, in float32.

    ``patches`` are the embeddings ``(L, D)`` of images, ``image_of`` the image of each question.
    """
    network, device = model.network, model.device
    tokens = model.tokenizer(
        model.asked(questions),
        padding=True,
        truncation=True,
        max_length=min(model.max_question_tokens, network.config.max_position_embeddings),
        return_tensors="pt",
    ).to(device)
    patches_BLD = pad_sequence([patches[image] for image in image_of], batch_first=True)
    lengths_B = torch.tensor([len(patches[image]) for image in image_of], device=device)
    mask_BL = torch.arange(patches_BLD.shape[1], device=device) < lengths_B[:, None]
    logits_BV: torch.Tensor = network(
        input_ids=tokens["input_ids"],
        attention_mask=tokens["attention_mask"],
        token_type_ids=tokens.get("token_type_ids"),
        image_embeds=patches_BLD,
        pixel_mask=mask_BL.long(),
    ).logits
    return logits_BV.float()


def patch_embeddings(network: ViltForQuestionAnswering, pixels_1CHW: torch.Tensor) -> torch.Tensor:
    """Return an image's class token and patches, with positions stretched to its shape: (L, D).

    ``ViltEmbeddings.visual_embed`` gives the same rows in an order drawn at random, which no
    layer heeds. Where ``max_image_length`` is set it also drops some at random; none are here.
    """
    embeddings = network.vilt.embeddings
    patches_1DHW = embeddings.patch_embeddings(pixels_1CHW)
    side = network.config.image_size // network.config.patch_size
    positions_1LD = embeddings.position_embeddings
    grid_1DHW = positions_1LD[:, 1:].transpose(1, 2).unflatten(-1, (side, side))
    stretched_1DHW = interpolate(
        grid_1DHW, size=patches_1DHW.shape[-2:], mode="bilinear", align_corners=True
    )
    patches_LD = (patches_1DHW + stretched_1DHW)[0].flatten(1).transpose(0, 1)
    class_1D = embeddings.cls_token[0] + positions_1LD[0, :1]
    return torch.cat((class_1D, patches_LD))
