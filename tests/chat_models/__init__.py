"""Small real chat models with random weights, their real processors, and templates of our own."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.chat_models.qwen import save_qwen2_5_vl, save_qwen2_vl, save_qwen3_5, save_qwen3_vl
from tests.chat_models.tiled import (
    save_idefics3,
    save_internvl,
    save_llava_onevision,
    save_smolvlm,
)
from tests.chat_models.whole import save_florence2, save_gemma3, save_llava, save_paligemma2

CHAT_MODELS: dict[str, Callable[[Path], Path]] = {
    "florence2": save_florence2,
    "gemma3": save_gemma3,
    "idefics3": save_idefics3,
    "internvl": save_internvl,
    "llava": save_llava,
    "llava_onevision": save_llava_onevision,
    "paligemma2": save_paligemma2,
    "qwen2_5_vl": save_qwen2_5_vl,
    "qwen2_vl": save_qwen2_vl,
    "qwen3_5": save_qwen3_5,
    "qwen3_vl": save_qwen3_vl,
    "smolvlm": save_smolvlm,
}


@cache
def _saved_here() -> TemporaryDirectory[str]:
    return TemporaryDirectory(prefix="chat-models-")


@cache
def chat_model(name: str) -> Path:
    """Return the folder of a chat model, saved once for all tests of a process; only read it."""
    return CHAT_MODELS[name](Path(_saved_here().name, name))
