"""How hard a model is asked to think, and in what detail it is asked to look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class AskedSettings:
    """``thinking`` is a level and ``image_detail`` a detail; empty for the model's own choice."""

    thinking: str = ""
    image_detail: str = ""


AS_THE_MODEL_CHOOSES: Final = AskedSettings()
