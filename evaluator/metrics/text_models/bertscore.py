"""BERTScore F1 (Zhang et al. 2020) through the library bert-score, by distinct pairs.

No idf weights and no rescaling, as the AIM825 report used it. The library's matching is used as it
is; only the model is loaded here, since the library takes any path with "t5" in it for a T5 model.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from importlib.metadata import version
from typing import Final, cast

import numpy as np
import torch
from bert_score.utils import bert_cos_score_idf, model2layers
from numpy.typing import NDArray
from transformers import AutoModel, AutoTokenizer, PreTrainedModel

from evaluator.metrics.text_models.model_source import ModelSource, reading_with_transformers
from shared.errors import InputError
from shared.questions.answers import normalise
from shared.vqa.names.model_names import require_words

BATCH: Final = 256
"""Strings at a time."""


class BertScorer:
    """A loaded model, one layer of which gives the word embeddings; remembers pairs it scored."""

    def __init__(self, source: ModelSource, num_layers: int | None = None) -> None:
        """Load the model.

        Args:
            source: where the model is.
            num_layers: which layer to read, counted from 1; by default the one that the library
                recommends for a model of that name, or the last.

        Raises:
            InputError: the folder is no encoder of BERT's kind, or has fewer layers.
        """
        with reading_with_transformers(source.folder):
            model = AutoModel.from_pretrained(
                source.folder, use_safetensors=True, trust_remote_code=False
            )
            self._tokenizer = AutoTokenizer.from_pretrained(source.folder, trust_remote_code=False)
        require_words(str(source.folder), self._tokenizer)
        stack = _layer_stack(model, source)
        every = cast("torch.nn.ModuleList", stack.layer)
        layers = num_layers or model2layers.get(source.name, len(every))
        if not 0 < layers <= len(every):
            raise InputError(f"{source.name}: has layers 1 to {len(every)}, not {layers}")
        stack.layer = every[:layers]
        longest = int(getattr(model.config, "max_position_embeddings", 512))
        # A tokenizer without a limit of its own reports 10**30, which overflows in the library.
        self._tokenizer.model_max_length = min(self._tokenizer.model_max_length, longest)
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self._model = model.eval().to(self.device)
        self._scores: dict[tuple[str, str], float] = {}
        self.model_name = f"{source.name} L{layers}"
        self.signature = (
            f"{source.name}@{source.revision}|layer {layers}|no idf|not rescaled|"
            f"bert-score {version('bert-score')}"
        )

    def f1(self, answers: Sequence[str], references: Sequence[str]) -> NDArray[np.float64]:
        """Return BERTScore F1 for each row, shape (N,), at most 1; 0 where a side is empty."""
        normal = {text: normalise(text) for text in {*answers, *references}}
        rows = [(normal[a], normal[r]) for a, r in zip(answers, references, strict=True)]
        new = {row for row in rows if row[0].strip() and row[1].strip()} - self._scores.keys()
        pairs = sorted(new)
        self._scores.update(zip(pairs, self._f1(pairs), strict=True))
        return np.array([self._scores.get(row, 0.0) for row in rows], dtype=np.float64)

    def _f1(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        if not pairs:
            return []
        weights: defaultdict[int, float] = defaultdict(lambda: 1.0)
        weights[self._tokenizer.cls_token_id] = weights[self._tokenizer.sep_token_id] = 0.0
        scores_N3 = bert_cos_score_idf(
            self._model,
            [reference for _, reference in pairs],
            [answer for answer, _ in pairs],
            self._tokenizer,
            weights,
            batch_size=BATCH,
            device=self.device,
        )
        return [float(value) for value in scores_N3[:, 2]]


def _layer_stack(model: PreTrainedModel, source: ModelSource) -> torch.nn.Module:
    for name in ("encoder", "transformer"):  # BERT and RoBERTa; DistilBERT
        stack = getattr(model, name, None)
        if isinstance(stack, torch.nn.Module) and hasattr(stack, "layer"):
            return stack
    raise InputError(
        f"{source.name}: a {model.config.model_type} model has no layers that BERTScore can read; "
        "use a BERT, RoBERTa or DistilBERT model"
    )
