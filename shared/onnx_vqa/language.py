"""An exported language model that reads a picture as tokens: BLIP-2 with a decoder, chat models.

What stands in a prompt up to the picture's end is read once an image; its keys and values stay.

Shapes: B questions, T tokens, S tokens before them, P tokens up to the picture's end, L of these
the picture's, D their width, Y layers, K heads, E a head's size, V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from tokenizers import Tokenizer

from shared.onnx_vqa.engines import Graph
from shared.onnx_vqa.manifest import MANIFEST, BundleError
from shared.onnx_vqa.words import (
    Answer,
    Floats,
    Integers,
    image_by_image,
    log_softmax_at,
    token_rows,
)
from shared.questions.cleaning import cleaned


class Prefix(NamedTuple):
    """Keys and values of all that stands before the question about one image, (Y, 1, K, P, E)."""

    keys: Floats
    values: Floats


class LanguageGraphs:
    """Two graphs: an image's tokens, and the language model, which is run again for each token."""

    computed_once = "vision tower and projector; keys and values of all up to the picture's end"

    def __init__(
        self, manifest: Mapping[str, Any], tokenizer: Tokenizer, graphs: Mapping[str, Graph]
    ) -> None:
        if manifest.get("max_question_tokens"):
            tokenizer.enable_truncation(manifest["max_question_tokens"])
        self._manifest, self._tokenizer = manifest, tokenizer
        self._ids, self._picture = manifest["tokens"], manifest["picture"]
        self._encode, self._read = graphs["image_encoder"], graphs["language_model"]
        # Up to the picture's end; tokens of the picture are negative.
        self._before = np.array(self._picture["before"], dtype=np.int64)

    def remember(self, images: Sequence[Floats]) -> tuple[Prefix, ...]:
        """Encode the images, and read each as what stands before every question about it."""
        return tuple(map(self._prefix, images))

    def _prefix(self, pixels: Floats) -> Prefix:
        [tokens_1LD] = self._encode.run(["tokens"], {"pixels": pixels})
        layers, heads, size = self._manifest["cache"]
        nothing = np.zeros((layers, 1, heads, 0, size), dtype=np.float32)
        is_picture_P = self._before < 0
        if is_picture_P.sum() != tokens_1LD.shape[1]:
            raise BundleError(
                f"{MANIFEST}: damaged, picture.before has places for {is_picture_P.sum()} of "
                f"{tokens_1LD.shape[1]} tokens"
            )
        picture_1PD = np.zeros((1, len(self._before), tokens_1LD.shape[-1]), dtype=np.float32)
        picture_1PD[0, is_picture_P] = tokens_1LD[0]
        _, keys, values = self._step(
            np.where(is_picture_P, 0, self._before)[None],
            np.arange(len(self._before))[None],
            np.ones((1, len(self._before)), dtype=np.int64),
            (nothing, nothing),
            (picture_1PD, is_picture_P[None]),
        )
        return Prefix(keys, values)

    def answer(
        self, seen: Sequence[Prefix], image_of: Sequence[int], questions: Sequence[str]
    ) -> list[Answer]:
        """Answer each question about the image that ``seen`` holds at its index, greedily."""
        return image_by_image(
            image_of, questions, lambda image, asked: self._about(seen[image], asked)
        )

    def _about(self, prefix: Prefix, questions: Sequence[str]) -> list[Answer]:
        tokens, log_p_B = self._decode(prefix, self._own_tokens(questions))
        texts = self._tokenizer.decode_batch(tokens, skip_special_tokens=True)
        clean = cleaned if self._manifest.get("cleaning") else str.strip
        return [
            Answer(clean(text.strip()), math.exp(log_p))
            for text, log_p in zip(texts, log_p_B, strict=True)
        ]

    def _own_tokens(self, questions: Sequence[str]) -> list[list[int]]:
        """Return what stands after the picture, for each question."""
        rows = token_rows(self._tokenizer, questions, self._manifest)
        stands_for_picture = self._picture["token"]
        if stands_for_picture is None:
            return rows
        if any(stands_for_picture not in row for row in rows):
            raise BundleError(f"{MANIFEST}: damaged, its prompt has no picture.token")
        return [row[len(row) - row[::-1].index(stands_for_picture) :] for row in rows]

    def _decode(
        self, prefix: Prefix, rows: Sequence[Sequence[int]]
    ) -> tuple[list[list[int]], list[float]]:
        """Say the likeliest token after the other; an answer that has ended leaves the batch."""
        batch, width, before = len(rows), max(map(len, rows)), len(self._before)
        # Padded between picture and question, so that each row's last token stands last.
        ids_BT = np.full((batch, width), self._ids["pad"], dtype=np.int64)
        mask_BS = np.ones((batch, before + width), dtype=np.int64)
        positions_BT = np.full((batch, width), before, dtype=np.int64)
        for row, ids in enumerate(rows):
            ids_BT[row, width - len(ids) :] = ids
            mask_BS[row, before : before + width - len(ids)] = 0
            positions_BT[row, width - len(ids) :] = before + np.arange(len(ids))
        past = [np.repeat(cached, batch, axis=1) for cached in prefix]
        tokens: list[list[int]] = [[] for _ in range(batch)]
        log_p = [0.0] * batch
        live = np.arange(batch)
        for _ in range(self._manifest["max_new_tokens"]):
            logits_BV, *past = self._step(ids_BT, positions_BT, mask_BS, past)
            best_B = logits_BV.argmax(-1)
            for index, token, value in zip(
                live, best_B, log_softmax_at(logits_BV, best_B), strict=True
            ):
                tokens[index].append(int(token))
                log_p[index] += float(value)
            going = np.flatnonzero(~np.isin(best_B, self._ids["end"]))
            if not going.size:
                break
            live, ids_BT = live[going], best_B[going, None]
            positions_BT = positions_BT[going, -1:] + 1
            mask_BS = np.pad(mask_BS[going], ((0, 0), (0, 1)), constant_values=1)
            past = [cached[:, going] for cached in past]
        return tokens, log_p

    def _step(
        self,
        ids_BT: Integers,
        positions_BT: Integers,
        mask_BS: Integers,
        past: Sequence[Floats],
        picture: tuple[Floats, Any] | None = None,
    ) -> list[Any]:
        """Read tokens after those whose keys and values are there; logits of the last ``(B, V)``.

        ``picture`` has what stands in the place of words, ``(B, T, D)``, and where, ``(B, T)``.
        """
        if picture is None:
            width = self._picture["width"]
            picture = (
                np.zeros((*ids_BT.shape, width), dtype=np.float32),
                np.zeros(ids_BT.shape, dtype=bool),
            )
        return self._read.run(
            ["logits", "keys", "values"],
            {
                "ids": ids_BT,
                "positions": positions_BT,
                "mask": mask_BS,
                "picture": picture[0],
                "from_picture": picture[1],
                "past_keys": past[0],
                "past_values": past[1],
            },
        )
