"""Exported models: answering with onnxruntime, without torch and transformers."""

from pathlib import Path
from typing import Final

MANIFEST: Final = "bundle.json"
"""What a bundle says of itself; ``runtime`` has its own, for it must stand alone in a bundle."""


def is_bundle(model: str) -> bool:
    """Return whether ``model`` is the folder of a bundle that ``trainer export`` wrote."""
    return (Path(model).expanduser() / MANIFEST).is_file()
