"""An exported BLIP whose graphs have fixed sizes: one question at a time, filled up to a length.

Shapes as in ``shared.onnx_vqa.blip``, with S places for an answer's tokens.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from shared.onnx_vqa.blip import BlipGraphs, Seen
from shared.onnx_vqa.words import Answer, Floats, log_softmax_at, token_rows


class FixedBlipGraphs(BlipGraphs):
    """The graphs of ``BlipGraphs``, for an engine that plans all memory before it runs."""

    def remember(self, images: Sequence[Floats]) -> Seen:
        """Encode images, one after the other."""
        each = [super(FixedBlipGraphs, self).remember([pixels]) for pixels in images]
        return Seen(
            np.concatenate([one.keys for one in each], axis=1),
            np.concatenate([one.values for one in each], axis=1),
        )

    def _about(
        self, keys_YKLE: Floats, values_YKLE: Floats, questions: Sequence[str]
    ) -> list[Answer]:
        rows = token_rows(self._tokenizer, questions, self._manifest)
        return [self._one(keys_YKLE, values_YKLE, row) for row in rows]

    def _one(self, keys_YKLE: Floats, values_YKLE: Floats, row: Sequence[int]) -> Answer:
        tokens = self._manifest["lengths"]["question"]
        ids_1T = np.full((1, tokens), self._ids["pad"], dtype=np.int64)
        mask_1T = np.zeros_like(ids_1T)
        ids_1T[0, : len(row)], mask_1T[0, : len(row)] = row, 1
        heard = self._encode_question.run(
            ["question_keys", "question_values"],
            {
                "ids": ids_1T,
                "mask": mask_1T,
                "image_keys": keys_YKLE,
                "image_values": values_YKLE,
            },
        )
        said, log_p = self._say(
            {"mask": mask_1T, "question_keys": heard[0], "question_values": heard[1]}
        )
        text = self._tokenizer.decode(said, skip_special_tokens=True)
        return Answer(text.strip(), math.exp(log_p))

    def _say(self, heard: dict[str, Floats]) -> tuple[list[int], float]:
        """Say the likeliest token after the other, each with a place of its own."""
        layers, _, heads, _, size = heard["question_keys"].shape
        longest = self._manifest["lengths"]["answer"]
        past_keys, past_values = np.zeros((2, layers, 1, heads, longest, size), dtype=np.float32)
        taken = np.zeros((1, longest + 1), dtype=np.int64)
        taken[0, -1] = 1
        said, log_p, token = [], 0.0, self._ids["start"]
        for position in range(longest):
            logits_1V, keys, values = self._decode_step.run(
                ["logits", "keys", "values"],
                {
                    **heard,
                    "token": np.array([[token]], dtype=np.int64),
                    "position": np.array([[position]], dtype=np.int64),
                    "said": taken,
                    "past_keys": past_keys,
                    "past_values": past_values,
                },
            )
            best_1 = logits_1V.argmax(-1)
            token = int(best_1[0])
            said.append(token)
            log_p += float(log_softmax_at(logits_1V, best_1)[0])
            if token == self._ids["end"]:
                break
            past_keys[:, :, :, position], past_values[:, :, :, position] = (
                own[:, :, :, 0] for own in (keys, values)
            )
            taken[0, position] = 1
        return said, log_p
