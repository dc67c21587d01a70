"""How a folder's BERT model makes a vector of a text, where that is known for sure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from shared.corpus.json_files import read_json
from shared.errors import InputError

_NO_LIMIT: Final = 10**9
_MARKS: Final = ("[CLS]", "[SEP]")
"""Stand before and after every text."""
_LIBRARY: Final = "sentence_transformers."
_MODULES: Final = (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"])
_POOLINGS: Final = {
    "cls": "cls",
    "mean": "mean",
    "pooling_mode_cls_token": "cls",
    "pooling_mode_mean_tokens": "mean",
}
_OF_TRANSFORMER: Final = {
    "do_lower_case": (False,),
    "transformer_task": ("feature-extraction",),
    "modality_config": (
        {"text": {"method": "forward", "method_output_name": "last_hidden_state"}},
    ),
    "module_output_name": ("token_embeddings",),
}
"""What ``sentence_bert_config.json`` may say besides the longest text."""
_OF_NORMALIZER: Final = {
    "do_lower_case": "lowercase",
    "strip_accents": "strip_accents",
    "tokenize_chinese_chars": "handle_chinese_chars",
}


@dataclass(frozen=True, slots=True)
class BertRecipe:
    """How a folder's model makes a vector of a text."""

    pooling: str
    """``mean`` of the tokens' vectors, or that of the first (``cls``)."""
    longest: int
    """Tokens of a text, the first and the last among them, that are read."""
    heads: int
    epsilon: float


def bert_recipe(folder: Path) -> BertRecipe | None:
    """Return how to read the model in ``folder``, or ``None`` where that is not known for sure."""
    try:
        config = _object(folder / "config.json")
        tokenizer = _object(folder / "tokenizer_config.json")
        transformer = _object(folder / "sentence_bert_config.json")
        prompts = _object(folder / "config_sentence_transformers.json")
        pooling = _pooling(folder)
        normalizer = _object(folder / "tokenizer.json").get("normalizer")
    except (InputError, OSError, ValueError):
        return None
    longest = transformer.pop("max_seq_length", None) or min(
        tokenizer.get("model_max_length", _NO_LIMIT), config.get("max_position_embeddings", 0)
    )
    plain = (
        _is_plain_bert(config)
        and pooling is not None
        and all(value in _OF_TRANSFORMER.get(key, ()) for key, value in transformer.items())
        and not prompts.get("default_prompt_name")
        and _normalises_as_told(normalizer, tokenizer)
        and len(_MARKS) < longest <= config["max_position_embeddings"]
    )
    if not plain or pooling is None:
        return None
    return BertRecipe(pooling, longest, config["num_attention_heads"], config["layer_norm_eps"])


def _is_plain_bert(config: Mapping[str, Any]) -> bool:
    return (
        config.get("model_type") == "bert"
        and config.get("hidden_act") == "gelu"
        and config.get("position_embedding_type", "absolute") == "absolute"
        and not config.get("is_decoder")
        and {"num_attention_heads", "layer_norm_eps", "max_position_embeddings"} <= config.keys()
    )


def _pooling(folder: Path) -> str | None:
    """Return the one way in which the tokens' vectors become one, or ``None`` for any other."""
    modules = json.loads((folder / "modules.json").read_text(encoding="utf-8"))
    kinds = [str(module["type"]) for module in modules]
    known = all(kind.startswith(_LIBRARY) for kind in kinds)
    if not known or [kind.rpartition(".")[2] for kind in kinds] not in _MODULES:
        return None
    if modules[0]["path"]:
        return None
    config = _object(folder / modules[1]["path"] / "config.json")
    told = [key for key, value in config.items() if key.startswith("pooling_mode_") and value]
    named = config.get("pooling_mode", told[0] if len(told) == 1 else None)
    return _POOLINGS.get(named) if isinstance(named, str) else None


def _normalises_as_told(normalizer: object, config: Mapping[str, Any]) -> bool:
    """Whether the tokenizer's file does what its settings say, which would rule over it."""
    return (
        isinstance(normalizer, dict)
        and normalizer.get("type") == "BertNormalizer"
        and all(
            config[told] == normalizer.get(done)
            for told, done in _OF_NORMALIZER.items()
            if told in config
        )
    )


def _object(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file, an empty one where there is no such file."""
    return read_json(path) if path.is_file() else {}
