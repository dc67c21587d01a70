"""Sentence embeddings (SBERT), each distinct string encoded once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from importlib.metadata import version
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer

from evaluator.metrics.text_models.model_source import ModelSource
from shared.questions.answers import normalise

BATCH: Final = 256
"""Strings at a time; answers are short, so this is some 10 MB."""


class SentenceEncoder:
    """A loaded SBERT model that remembers what it embedded: 1.5 kB for each distinct string."""

    def __init__(self, source: ModelSource) -> None:
        self._model = SentenceTransformer(str(source.folder))
        self._vectors: dict[str, NDArray[np.float32]] = {}
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
        normal = {text: normalise(text) for text in {*answers, *references}}
        rows = [(normal[a], normal[r]) for a, r in zip(answers, references, strict=True)]
        self._learn(set(normal.values()))
        cosine = {
            (answer, reference): float(self._vectors[answer] @ self._vectors[reference])
            for answer, reference in set(rows)
        }
        return np.array([cosine[row] for row in rows], dtype=np.float64)

    def _learn(self, strings: Collection[str]) -> None:
        # Equal lengths share batches, so that hardly any padding is computed.
        new = sorted(set(strings) - self._vectors.keys(), key=lambda text: (len(text), text))
        if new:
            self._vectors.update(zip(new, self.embed(new), strict=True))
