"""Sentence vectors of BERT models by torch and tokenizers alone.

sentence-transformers, and transformers under it, take seconds to import, as long as it takes to
embed some thousand answers. Its usual model needs none of what they add: BERT (Devlin et al. 2019),
whose layers torch has, and one vector a text of all its tokens' (Reimers and Gurevych 2019). A
model that is another thing in any way is not read here.

Letters of shapes: N texts, L tokens, W the width of a vector.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional

from evaluator.metrics.text_models.bert_recipe import MARKS, BertRecipe

BATCH_TOKENS: Final = 2048
"""Tokens at a time: what a layer holds of them, 12 MB for MiniLM, stays in a core's cache."""
_LAYER_PARTS: Final = {
    "self_attn.out_proj": "attention.output.dense",
    "norm1": "attention.output.LayerNorm",
    "linear1": "intermediate.dense",
    "linear2": "output.dense",
    "norm2": "output.LayerNorm",
}


class BertEncoder:
    """A loaded BERT model that makes a vector of a text."""

    def __init__(self, folder: Path, recipe: BertRecipe) -> None:
        """Load the model.

        Raises:
            KeyError, ValueError, RuntimeError, OSError: the weights or the tokenizer are not those
                of a BERT model, or not what its config says.
        """
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self._recipe = recipe
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(recipe.longest)
        weights = load_file(folder / "model.safetensors", device=self._device)
        if any(weight.dtype != torch.float32 for weight in _of_floats(weights)):
            raise ValueError("weights of another precision")
        _require_as_told(weights, recipe, self._tokenizer)
        self._layers = _layers(weights, recipe)
        self._words_VW = weights["embeddings.word_embeddings.weight"]
        self._places_LW = weights["embeddings.position_embeddings.weight"]
        self._first_part_W = weights["embeddings.token_type_embeddings.weight"][0]
        self._scale_W = weights["embeddings.LayerNorm.weight"]
        self._shift_W = weights["embeddings.LayerNorm.bias"]

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return a vector of length 1 for each text, shape (N, W).

        Texts of equally many tokens share batches, so that nothing is padded.
        """
        vectors_NW = np.empty((len(texts), len(self._scale_W)), dtype=np.float32)
        ids = [encoding.ids for encoding in self._tokenizer.encode_batch_fast(list(texts))]
        for places in _batches(ids):
            tokens_NL = torch.tensor([ids[place] for place in places], device=self._device)
            vectors_NW[places] = self._vectors(tokens_NL).cpu().numpy()
        return vectors_NW

    @torch.inference_mode()
    def _vectors(self, tokens_NL: Tensor) -> Tensor:
        sum_NLW = self._words_VW[tokens_NL] + self._first_part_W
        sum_NLW += self._places_LW[: tokens_NL.shape[1]]
        width, epsilon = len(self._scale_W), self._recipe.epsilon
        states_NLW = self._layers(
            functional.layer_norm(sum_NLW, (width,), self._scale_W, self._shift_W, epsilon)
        )
        mean = self._recipe.pooling == "mean"
        pooled_NW = states_NLW.mean(dim=1) if mean else states_NLW[:, 0]
        return functional.normalize(pooled_NW, dim=-1)


def _batches(ids: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Yield the places of texts of equal length, at most ``BATCH_TOKENS`` tokens at a time."""
    of_length: defaultdict[int, list[int]] = defaultdict(list)
    for place, tokens in enumerate(ids):
        of_length[len(tokens)].append(place)
    for length, places in of_length.items():
        size = max(1, BATCH_TOKENS // max(1, length))
        for start in range(0, len(places), size):
            yield places[start : start + size]


def _layers(weights: Mapping[str, Tensor], recipe: BertRecipe) -> nn.TransformerEncoder:
    """Return torch's layers with the weights that BERT calls otherwise."""
    inner, width = weights["encoder.layer.0.intermediate.dense.weight"].shape
    named: dict[str, Tensor] = {}
    for place in range(recipe.layers):
        ours, theirs = f"layers.{place}", f"encoder.layer.{place}"
        for kind in ("weight", "bias"):
            for part, name in _LAYER_PARTS.items():
                named[f"{ours}.{part}.{kind}"] = weights[f"{theirs}.{name}.{kind}"]
            asked = [f"{theirs}.attention.self.{name}.{kind}" for name in ("query", "key", "value")]
            named[f"{ours}.self_attn.in_proj_{kind}"] = torch.cat([weights[one] for one in asked])
    with torch.device("meta"):
        layer = nn.TransformerEncoderLayer(
            width,
            recipe.heads,
            inner,
            dropout=0.0,
            activation="gelu",
            layer_norm_eps=recipe.epsilon,
            batch_first=True,
        )
        layers = nn.TransformerEncoder(layer, recipe.layers, enable_nested_tensor=False)
    layers.load_state_dict(named, assign=True)
    return layers.eval()


def _require_as_told(
    weights: Mapping[str, Tensor], recipe: BertRecipe, tokenizer: Tokenizer
) -> None:
    """Check what no later step would trip over.

    Raises:
        KeyError, ValueError: there are more or fewer layers, rows or columns, or texts do not get
            BERT's two marks.
    """
    layers = {name.split(".")[2] for name in weights if name.startswith("encoder.layer.")}
    shapes = {name: tuple(weights[name].shape) for name in recipe.table_shapes}
    if len(layers) != recipe.layers or shapes != recipe.table_shapes:
        raise ValueError("other weights than config.json says")
    scales = {tuple(weights[f"embeddings.LayerNorm.{kind}"].shape) for kind in ("weight", "bias")}
    if scales != {shape[1:] for shape in shapes.values()}:
        raise ValueError("embeddings of several widths")
    if tokenizer.get_vocab_size() > len(weights["embeddings.word_embeddings.weight"]):
        raise ValueError("more tokens than embeddings")
    tokens = tokenizer.encode("a").tokens
    if len(tokens) != len(MARKS) + 1 or (tokens[0], tokens[-1]) != MARKS:
        raise ValueError("other marks around a text")


def _of_floats(weights: Mapping[str, Tensor]) -> Iterator[Tensor]:
    return (weight for weight in weights.values() if weight.is_floating_point())
