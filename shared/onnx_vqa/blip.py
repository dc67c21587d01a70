"""An exported BLIP: encodes an image once, reads a question about it, and says one token a step.

Shapes: N images, B questions, T question tokens, S answer tokens so far, Y layers, K heads,
L image tokens, E a head's size, V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from tokenizers import Tokenizer

from shared.onnx_vqa.engines import Graph
from shared.onnx_vqa.words import (
    Answer,
    Floats,
    Integers,
    image_by_image,
    log_softmax_at,
    padded,
    token_rows,
)


class Seen(NamedTuple):
    """What the question encoder reads of N images, ``(Y, N, K, L, E)``; computed once for each."""

    keys: Floats
    values: Floats


class BlipGraphs:
    """Three graphs: image encoder, question encoder and decoder step."""

    computed_once = "image features, keys and values of the cross-attention"

    def __init__(
        self, manifest: Mapping[str, Any], tokenizer: Tokenizer, graphs: Mapping[str, Graph]
    ) -> None:
        tokenizer.enable_truncation(manifest["max_question_tokens"])
        self._manifest, self._tokenizer = manifest, tokenizer
        self._ids = manifest["tokens"]
        self._encode_image, self._encode_question, self._decode_step = (
            graphs[name] for name in ("image_encoder", "question_encoder", "decoder_step")
        )

    def remember(self, images: Sequence[Floats]) -> Seen:
        """Encode N images, each once for all its questions."""
        keys, values = self._encode_image.run(
            ["image_keys", "image_values"], {"pixels": np.concatenate(list(images))}
        )
        return Seen(keys, values)

    def answer(self, seen: Seen, image_of: Sequence[int], questions: Sequence[str]) -> list[Answer]:
        """Answer each question about the image that ``seen`` holds at its index, greedily."""
        return image_by_image(
            image_of,
            questions,
            lambda image, asked: self._about(seen.keys[:, image], seen.values[:, image], asked),
        )

    def _about(
        self, keys_YKLE: Floats, values_YKLE: Floats, questions: Sequence[str]
    ) -> list[Answer]:
        rows = token_rows(self._tokenizer, questions, self._manifest)
        ids_BT, mask_BT = padded(rows, self._ids["pad"])
        heard = self._encode_question.run(
            ["question_keys", "question_values"],
            {
                "ids": ids_BT,
                "mask": mask_BT,
                "image_keys": keys_YKLE,
                "image_values": values_YKLE,
            },
        )
        tokens, log_p_B = self._decode(heard[0], heard[1], mask_BT)
        texts = self._tokenizer.decode_batch(tokens, skip_special_tokens=True)
        return [
            Answer(text.strip(), math.exp(log_p))
            for text, log_p in zip(texts, log_p_B, strict=True)
        ]

    def _decode(
        self, keys_YBKTE: Floats, values_YBKTE: Floats, mask_BT: Integers
    ) -> tuple[list[list[int]], list[float]]:
        """Say the likeliest token after the other; an answer that has ended leaves the batch."""
        layers, batch, heads, _, size = keys_YBKTE.shape
        past_keys = past_values = np.zeros((layers, batch, heads, 0, size), dtype=np.float32)
        tokens: list[list[int]] = [[] for _ in range(batch)]
        log_p = [0.0] * batch
        live = np.arange(batch)
        token_B1 = np.full((batch, 1), self._ids["start"], dtype=np.int64)
        for position in range(self._manifest["max_new_tokens"]):
            logits_BV, past_keys, past_values = self._decode_step.run(
                ["logits", "keys", "values"],
                {
                    "token": token_B1,
                    "position": np.array([[position]], dtype=np.int64),
                    "mask": mask_BT,
                    "question_keys": keys_YBKTE,
                    "question_values": values_YBKTE,
                    "past_keys": past_keys,
                    "past_values": past_values,
                },
            )
            best_B = logits_BV.argmax(-1)
            for row, token, value in zip(
                live, best_B, log_softmax_at(logits_BV, best_B), strict=True
            ):
                tokens[row].append(int(token))
                log_p[row] += float(value)
            going = np.flatnonzero(best_B != self._ids["end"])
            if not going.size:
                break
            live, token_B1, mask_BT = live[going], best_B[going, None], mask_BT[going]
            if going.size < best_B.size:
                keys_YBKTE, values_YBKTE, past_keys, past_values = (
                    cached[:, going]
                    for cached in (keys_YBKTE, values_YBKTE, past_keys, past_values)
                )
        return tokens, log_p
