"""What tells the weights of a model folder from others; without loading torch."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from shared.files.digests import file_digest

OF_NO_WEIGHTS: Final = f"sha256:{hashlib.sha256().hexdigest()}"
"""What runs before 30 November 2026 say of bases from a hub, whatever these were."""


def weights_revision(folder: Path) -> str:
    """Return what stands for the revision of a model that no hub has: a hash of its weights."""
    digest = hashlib.sha256()
    for file in sorted(folder.glob("*.safetensors")):
        digest.update(bytes.fromhex(file_digest(file)))
    return f"sha256:{digest.hexdigest()}"
