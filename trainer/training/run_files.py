"""What a run keeps in its folder while it works, by name; without torch."""

from __future__ import annotations

from typing import Final

CHECKPOINT: Final = "checkpoint"
LOCK_FILE: Final = "training.lock"
LOG_FILE: Final = "training.jsonl"
