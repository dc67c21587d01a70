"""The model that comes with the package: its name, and where it lies."""

from __future__ import annotations

from pathlib import Path
from typing import Final

EMBEDDED_MODEL: Final = "blip-vqa-tiny"
EMBEDDED_MODEL_DIR: Final = Path(__file__).resolve().parents[2] / "blip_vqa_tiny"
