"""Sentence embeddings (SBERT), each distinct string encoded once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError

from evaluator.metrics.text_models.bert import BertEncoder
from evaluator.metrics.text_models.bert_recipe import bert_recipe
from evaluator.metrics.text_models.model_source import ModelSource, reading_with_transformers
from shared.errors import InputError
from shared.questions.answers import normalise

BATCH: Final = 256
"""Strings at a time; answers are short, so this is some 10 MB."""


class SentenceEncoder:
    """A loaded SBERT model that remembers what it embedded: 1.5 kB for each distinct string."""

    def __init__(self, source: ModelSource) -> None:
        self._model, made_by = _load(source.folder)
        self._vectors: dict[str, NDArray[np.float32]] = {}
        self.signature = f"{source.name}@{source.revision}|{made_by}"

    def embed(self, strings: Sequence[str]) -> NDArray[np.float32]:
        """Return unit vectors, one row for each string, shape (len(strings), width)."""
        return self._model.embed(strings)

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


class _Embedding(Protocol):
    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]: ...


class _LibraryEncoder:
    """Any model that sentence-transformers reads."""

    def __init__(self, folder: Path) -> None:
        # As long as all else of a short scoring: only the models that need it pay.
        from sentence_transformers import SentenceTransformer  # noqa: PLC0415

        self._folder = folder
        with reading_with_transformers(folder):
            self._model = SentenceTransformer(
                str(folder), trust_remote_code=False, model_kwargs={"use_safetensors": True}
            )
            self.embed(["a"])  # what it cannot do is to be said now, in one line

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        try:
            vectors = self._model.encode(
                list(texts),
                batch_size=BATCH,
                convert_to_numpy=True,
                normalize_embeddings=True,
                show_progress_bar=False,
            )
        except IndexError as error:
            raise InputError(
                f"{self._folder}: its tokenizer knows tokens that the model has no embeddings for; "
                "give a folder whose files belong together"
            ) from error
        return np.asarray(vectors, dtype=np.float32)


def _load(folder: Path) -> tuple[_Embedding, str]:
    """Return the model in a folder, and what makes its vectors, for the metric's signature."""
    recipe = bert_recipe(folder)
    if recipe is not None:
        try:
            return BertEncoder(folder, recipe), f"{recipe.pooling} of {recipe.longest} tokens"
        except (KeyError, ValueError, RuntimeError, SafetensorError):
            pass  # other weights than BERT's: the library knows more kinds
    library = f"sentence-transformers {version('sentence-transformers')}"
    return _LibraryEncoder(folder), library
