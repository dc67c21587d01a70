"""Tokenizers as they were made, for they keep, and save, how the last texts were cut and padded."""

from __future__ import annotations

from transformers import PreTrainedTokenizerBase


def forget_last_texts(tokenizer: PreTrainedTokenizerBase) -> None:
    """Undo what the last call left in a tokenizer, so that what is saved depends on no call."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None:
        backend.no_truncation()
        backend.no_padding()
