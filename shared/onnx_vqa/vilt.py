"""An exported ViLT: embeds an image's patches once, and chooses among known answers.

Shapes: B questions, T question tokens, L an image's patches with its class token, D their width,
V known answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from shared.onnx_vqa.engines import Graph
from shared.onnx_vqa.manifest import MANIFEST, BundleError
from shared.onnx_vqa.words import Answer, Floats, image_by_image, padded, token_rows

Patches = tuple[Floats, ...]
"""Each image's patches with their positions, ``(L, D)``: images keep their shape."""


class ViltGraphs:
    """Two graphs: the patch embedding, and the classifier."""

    computed_once = "patch embeddings with their positions"

    def __init__(
        self, manifest: Mapping[str, Any], tokenizer: Tokenizer, graphs: Mapping[str, Graph]
    ) -> None:
        tokenizer.enable_truncation(manifest["max_question_tokens"])
        self._manifest, self._tokenizer = manifest, tokenizer
        self._embed, self._classify = graphs["image_encoder"], graphs["classifier"]

    def remember(self, images: Sequence[Floats]) -> Patches:
        """Embed the patches of each image."""
        return tuple(self._embed.run(["patches"], {"pixels": pixels})[0] for pixels in images)

    def answer(
        self, seen: Patches, image_of: Sequence[int], questions: Sequence[str]
    ) -> list[Answer]:
        """Return the likeliest of the classifier's answers and its (sigmoid) probability."""
        return image_by_image(
            image_of, questions, lambda image, asked: self._about(seen[image], asked)
        )

    def _about(self, patches_LD: Floats, questions: Sequence[str]) -> list[Answer]:
        ids_BT, mask_BT = padded(token_rows(self._tokenizer, questions, self._manifest), 0)
        [logits_BV] = self._classify.run(
            ["logits"], {"ids": ids_BT, "mask": mask_BT, "patches": patches_LD}
        )
        labels = self._manifest["labels"]
        if len(labels) != logits_BV.shape[-1]:
            raise BundleError(f"{MANIFEST}: damaged, {len(labels)} labels of {logits_BV.shape[-1]}")
        best_B = logits_BV.argmax(-1)
        logits_B = logits_BV[np.arange(len(best_B)), best_B].astype(np.float64)
        return [
            Answer(labels[best], float(p))
            for best, p in zip(best_B, 1 / (1 + np.exp(-logits_B)), strict=True)
        ]
