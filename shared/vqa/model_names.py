"""Where a model lies, by the name that a user gives; and what a hub's errors become."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from huggingface_hub.utils import logging as hub_logging
from safetensors import SafetensorError
from transformers.utils import logging as transformers_logging

from shared.errors import InputError
from shared.onnx_vqa import MANIFEST
from shared.vqa.hub_names import means_a_folder, near_folder

EMBEDDED_MODEL = "blip-vqa-tiny"
EMBEDDED_MODEL_DIR = Path(__file__).resolve().parent.parent / "blip_vqa_tiny"


def resolve_model(model: str) -> str:
    """Return the folder or hub id that ``model`` names.

    Raises:
        InputError: it looks like a path, or has no owner as hub ids have, and no folder is there.
    """
    if model == EMBEDDED_MODEL:
        return str(EMBEDDED_MODEL_DIR)
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
    except (OSError, ValueError, SafetensorError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(
            f"{model}: cannot be loaded ({reason}); give a model folder with safetensors, "
            f"a hub id that this machine can fetch, or {EMBEDDED_MODEL}"
        ) from error
