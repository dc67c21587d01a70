"""How a folder's BERT model makes a vector of a text, where that is known for sure.

The rule is that each setting which could change a vector has the one value that is known here.
Where the settings and ``tokenizer.json`` say different things, transformers follows the settings.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from shared.corpus.json_files import read_json
from shared.errors import InputError

_NO_LIMIT: Final = 10**9
MARKS: Final = ("[CLS]", "[SEP]")
"""Stand before and after every text."""
_LIBRARY: Final = "sentence_transformers."
_MODULES: Final = (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"])
_POOLINGS: Final = {
    "cls": "cls",
    "mean": "mean",
    "pooling_mode_cls_token": "cls",
    "pooling_mode_mean_tokens": "mean",
}
_OF_POOLING: Final = ("word_embedding_dimension", "embedding_dimension", "include_prompt")
"""What the pooling's file may say besides its way."""
_OF_TRANSFORMER: Final = {
    "do_lower_case": (False,),
    "transformer_task": ("feature-extraction",),
    "modality_config": (
        {"text": {"method": "forward", "method_output_name": "last_hidden_state"}},
    ),
    "module_output_name": ("token_embeddings",),
}
"""What ``sentence_bert_config.json`` may say besides the longest text."""
_OF_LIBRARY: Final = {"default_prompt_name": (None,), "model_type": ("SentenceTransformer",)}
_NO_MATTER: Final = ("__version__", "prompts", "similarity_fn_name")
"""What ``config_sentence_transformers.json`` may say besides, without changing a vector."""
_OTHER_FILES: Final = ("sentence_[!b]*_config.json", "added_tokens.json", "adapter_config.json")
"""Files that would add to the model."""
_TOKENS: Final = {f"{name.lower()}_token": f"[{name}]" for name in ("CLS", "SEP", "UNK", "PAD")}
_TOKENIZER_CLASSES: Final = ("BertTokenizer", "BertTokenizerFast")
_WORD_PIECES: Final = {
    "type": "WordPiece",
    "unk_token": "[UNK]",
    "continuing_subword_prefix": "##",
    "max_input_chars_per_word": 100,
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
    layers: int
    table_shapes: Mapping[str, Sequence[int]]
    """Rows and columns of the embeddings of words, positions and token types."""


def bert_recipe(folder: Path) -> BertRecipe | None:
    """Return how to read the model in ``folder``, or ``None`` where that is not known for sure."""
    try:
        return _recipe(folder)
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        TypeError,
        ValueError,
        OSError,
        InputError,
    ):
        return None  # something stands there that nobody expects: the library says what is wrong


def _recipe(folder: Path) -> BertRecipe | None:
    config = _object(folder / "config.json")
    settings = _object(folder / "tokenizer_config.json")
    transformer = _object(folder / "sentence_bert_config.json")
    library = _object(folder / "config_sentence_transformers.json")
    pooling = _pooling(folder)
    longest = transformer.pop("max_seq_length", None) or min(
        settings.get("model_max_length", _NO_LIMIT), config["max_position_embeddings"]
    )
    plain = (
        not any(found for pattern in _OTHER_FILES for found in folder.glob(pattern))
        and _is_plain_bert(config)
        and _says_only(transformer, _OF_TRANSFORMER)
        and _says_only({k: v for k, v in library.items() if k not in _NO_MATTER}, _OF_LIBRARY)
        and _is_plain_tokenizer(_object(folder / "tokenizer.json"), settings)
        and _has_plain_tokens(_object(folder / "special_tokens_map.json"))
        and len(MARKS) < longest <= config["max_position_embeddings"]
        and type(longest) is int
    )
    if not plain or pooling is None:
        return None
    rows = {
        "word": config["vocab_size"],
        "position": config["max_position_embeddings"],
        "token_type": config["type_vocab_size"],
    }
    return BertRecipe(
        pooling,
        longest,
        config["num_attention_heads"],
        config["layer_norm_eps"],
        config["num_hidden_layers"],
        {
            f"embeddings.{name}_embeddings.weight": (n, config["hidden_size"])
            for name, n in rows.items()
        },
    )


def _is_plain_bert(config: Mapping[str, Any]) -> bool:
    return (
        config.get("model_type") == "bert"
        and config.get("hidden_act") == "gelu"
        and config.get("position_embedding_type", "absolute") == "absolute"
        and not config.get("is_decoder")
        and not config.get("quantization_config")
        and {config.get("dtype"), config.get("torch_dtype")} <= {None, "float32"}
        and config["hidden_size"] % config["num_attention_heads"] == 0
        and type(config["layer_norm_eps"]) is float
    )


def _says_only(config: Mapping[str, Any], known: Mapping[str, Sequence[object]]) -> bool:
    return all(value in known.get(key, ()) for key, value in config.items())


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
    if any(not key.startswith("pooling_mode") and key not in _OF_POOLING for key in config):
        return None
    named = config.get("pooling_mode", told[0] if len(told) == 1 else None)
    return _POOLINGS.get(named) if isinstance(named, str) else None


def _is_plain_tokenizer(file: Mapping[str, Any], settings: Mapping[str, Any]) -> bool:
    """Whether the tokenizer's file does what transformers makes of its settings."""
    model = {key: file["model"].get(key) for key in _WORD_PIECES}
    normalizer = {
        "type": "BertNormalizer",
        "clean_text": True,
        "handle_chinese_chars": settings.get("tokenize_chinese_chars", True),
        "strip_accents": settings.get("strip_accents"),
        "lowercase": settings.get("do_lower_case", True),
    }
    return (
        model == _WORD_PIECES
        and file["normalizer"] == normalizer
        and file["pre_tokenizer"] == {"type": "BertPreTokenizer"}
        and (file.get("truncation") or {}).get("direction", "Right") == "Right"
        and settings.get("truncation_side", "right") == "right"
        and settings.get("tokenizer_class", _TOKENIZER_CLASSES[0]) in _TOKENIZER_CLASSES
        and _has_plain_tokens(settings)
        and _adds_nothing(file, settings)
    )


def _has_plain_tokens(settings: Mapping[str, Any]) -> bool:
    """Whether special tokens, texts or objects with ``content``, are BERT's, and no others."""
    named = {key: settings[key] for key in _TOKENS.keys() & settings.keys()}
    texts = {k: v["content"] if isinstance(v, dict) else v for k, v in named.items()}
    return texts.items() <= _TOKENS.items() and not any(
        settings.get(f"{kind}_special_tokens") for kind in ("additional", "extra")
    )


def _adds_nothing(file: Mapping[str, Any], settings: Mapping[str, Any]) -> bool:
    """Whether the tokens that the settings add are in the tokenizer's file."""
    there = {(str(token["id"]), token["content"]) for token in file["added_tokens"]}
    added = settings.get("added_tokens_decoder") or {}
    return {(place, token["content"]) for place, token in added.items()} <= there


def _object(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file, an empty one where there is no such file."""
    return read_json(path) if path.is_file() else {}
