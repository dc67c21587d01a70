"""Where a model lies, by the name that a user gives; and what a hub's errors become.

A name is looked up before torch and transformers, which take seconds, are imported.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from shared.errors import AboVqaError, InputError
from shared.onnx_vqa import MANIFEST
from shared.vqa.names.embedded import EMBEDDED_MODEL, EMBEDDED_MODEL_DIR
from shared.vqa.names.hub_names import hub_id_of, means_a_folder, near_folder

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def resolve_model(model: str) -> str:
    """Return the folder or hub id that ``model`` names.

    Raises:
        InputError: it looks like a path, or has no owner as hub ids have, and no folder is there.
    """
    if not model.strip():
        raise InputError(
            f"the model's name is empty; give a folder, a hub id (owner/name) or {EMBEDDED_MODEL}"
        )
    if model == EMBEDDED_MODEL:
        return str(EMBEDDED_MODEL_DIR)
    if hub_id := hub_id_of(model):
        raise InputError(f"{model}: a URL; give the model's hub id alone, {hub_id}")
    path = Path(model).expanduser()
    if path.is_dir():
        if not (path / "config.json").is_file():
            exported = sorted(path.glob(f"*/{MANIFEST}"))
            hint = f"; give one of its exports, such as {exported[0].parent}" if exported else ""
            raise InputError(f"{model}: not a model folder (config.json is missing){hint}")
        return str(path)
    if path.exists() or "/" not in model or means_a_folder(model):
        raise InputError(
            f"{model}: no such model folder; give a folder, a hub id (owner/name) or "
            f"{EMBEDDED_MODEL}{near_folder(model)}"
        )
    return model


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Keep progress bars, retries and reports of unused weights off the terminal."""
    from huggingface_hub.utils import logging as hub_logging  # noqa: PLC0415 - see above
    from transformers.utils import logging as transformers_logging  # noqa: PLC0415

    level = transformers_logging.get_verbosity()
    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    hub_level = hub_logging.get_verbosity()
    # Every retry is told twice; what became of it is in the error.
    hub_logging.set_verbosity_error()
    try:
        yield
    finally:
        hub_logging.set_verbosity(hub_level)
        transformers_logging.set_verbosity(level)
        if bars:
            transformers_logging.enable_progress_bar()


@contextmanager
def hub_errors(model: str) -> Iterator[None]:
    """Say in one line why ``model`` cannot be loaded.

    Raises:
        InputError: what is done inside raised because of a file or a hub.
    """
    try:
        yield
    except (AboVqaError, MemoryError):
        raise
    except Exception as error:
        if _is_out_of_memory(error):
            raise
        # Over a broken file the libraries raise whatever they stumbled on; tokenizers Exception.
        raise InputError(
            f"{model}: cannot be loaded ({_reason(error)}); give a model folder with safetensors, "
            f"a hub id that this machine can fetch, or {EMBEDDED_MODEL}"
        ) from error


def require_words(model: str, tokenizer: PreTrainedTokenizerBase) -> None:
    """Check that a tokenizer was read: where its files are missing, an empty one is made.

    Raises:
        InputError: it knows its special tokens alone, so that all texts are alike to the model.
    """
    if len(tokenizer) <= len(tokenizer.all_special_tokens):
        raise InputError(
            f"{model}: its tokenizer knows no words; tokenizer.json, or what stands for it, is "
            "missing beside the weights"
        )


def _is_out_of_memory(error: Exception) -> bool:
    from torch import OutOfMemoryError  # noqa: PLC0415 - see above

    return isinstance(error, OutOfMemoryError)


def _reason(error: Exception) -> str:
    """Return what an error says in one line, with its kind where the text alone says little."""
    text = next(iter(str(error).strip().splitlines()), "")
    return text if isinstance(error, (OSError, ValueError)) else f"{type(error).__name__}: {text}"
