"""Where questions are cut, in tokens: when a model answers as when it was trained.

The limit is that of the tokenizer that is kept beside an adapter or with a model.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from shared.corpus import read_json
from shared.errors import InputError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

MAX_QUESTION_TOKENS: Final = 128
TOKENIZER_CONFIG: Final = "tokenizer_config.json"


def question_limit(tokenizer: PreTrainedTokenizerBase) -> int:
    """Return how many tokens of a question are read."""
    return min(MAX_QUESTION_TOKENS, int(tokenizer.model_max_length))


def lower_question_limit(tokenizer: PreTrainedTokenizerBase, tokens: int) -> None:
    """Let the tokenizer, and whoever saves it, remember that questions are cut at ``tokens``."""
    tokenizer.model_max_length = min(tokenizer.model_max_length, tokens)


def limit_of_adapters(adapters: Sequence[Path]) -> int:
    """Return at how many tokens these adapters had questions cut in training, if they say so.

    Raises:
        InputError: they differ, so that no base can ask all of them as they were trained.
    """
    limits: dict[int, Path] = {}
    for adapter in adapters:
        config = adapter / TOKENIZER_CONFIG
        if config.is_file():
            limit = read_json(config).get("model_max_length")
            asked = int(limit) if isinstance(limit, (int, float)) else MAX_QUESTION_TOKENS
            limits[min(MAX_QUESTION_TOKENS, asked)] = adapter
    if len(limits) > 1:
        (one_limit, first), (other_limit, second), *_ = limits.items()
        raise InputError(
            f"{first} and {second} were trained on questions cut at {one_limit} and at "
            f"{other_limit} tokens; train one of them again with the other's max_question_tokens"
        )
    return next(iter(limits), MAX_QUESTION_TOKENS)
