"""The folder for what can be made or fetched again: it may be removed whenever nothing runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import platformdirs

CACHE_VARIABLE: Final = "ABO_VQA_CACHE"


def cache_folder(subject: str) -> Path:
    """Return the folder of ``subject`` in the cache, which may not be there yet.

    The variable says where the cache is; else the system's place for caches is taken.
    """
    told = os.environ.get(CACHE_VARIABLE)
    root = Path(told).expanduser() if told else platformdirs.user_cache_path("abo-vqa")
    return root / subject
