"""Sentence embeddings (SBERT), each distinct string encoded once."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer

from evaluator.model_source import ModelSource
from evaluator.text import normalise

BATCH: Final = 256
"""Strings at a time; answers are short, so this is some 10 MB."""


class SentenceEncoder:
    """A loaded SBERT model."""

    def __init__(self, source: ModelSource) -> None:
        self._model = SentenceTransformer(str(source.folder))
        library = f"sentence-transformers {version('sentence-transformers')}"
        self.signature = f"{source.name}@{source.revision}|{library}"

    def embed(self, strings: Sequence[str]) -> NDArray[np.float32]:
        """Return unit vectors, one row for each string, shape (len(strings), width)."""
        vectors = self._model.encode(
            list(strings),
            batch_size=BATCH,
            convert_to_numpy=True,
            normalize_embeddings=True,
            show_progress_bar=False,
        )
        return np.asarray(vectors, dtype=np.float32)

    def cosines(self, answers: Sequence[str], references: Sequence[str]) -> NDArray[np.float64]:
        """Return the cosine of each row's two normalised strings, shape (N,), in [-1, 1]."""
        left = [normalise(text) for text in answers]
        right = [normalise(text) for text in references]
        # Equal lengths share batches, so that hardly any padding is computed.
        distinct = sorted({*left, *right}, key=lambda text: (len(text), text))
        if not distinct:
            return np.zeros(0, dtype=np.float64)
        place = {text: index for index, text in enumerate(distinct)}
        vectors_DW = self.embed(distinct)
        pairs, row_pair = np.unique(
            np.array([(place[a], place[b]) for a, b in zip(left, right, strict=True)]),
            axis=0,
            return_inverse=True,
        )
        products = np.einsum("pw,pw->p", vectors_DW[pairs[:, 0]], vectors_DW[pairs[:, 1]])
        return np.asarray(products[row_pair.reshape(-1)], dtype=np.float64)
