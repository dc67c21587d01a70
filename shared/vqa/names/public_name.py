"""What a model is called where others read it: never by a path of the machine that made a file."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_HUB_SLASHES: Final = 1
"""A hub id has an owner and a name."""
_SNAPSHOTS: Final = "snapshots"


def public_name(model: str) -> str:
    """Return a hub id or a shipped model's name as it is, and of a folder its own name."""
    if not _is_place(model):
        return model
    folder = Path(model).expanduser().resolve()
    if folder.parent.name == _SNAPSHOTS:
        # The hub's cache: models--OWNER--NAME/snapshots/REVISION.
        return folder.parent.parent.name.removeprefix("models--").replace("--", "/")
    return folder.name


def _is_place(model: str) -> bool:
    path = Path(model).expanduser()
    looks_like_one = path.is_absolute() or model.startswith(".") or "\\" in model
    return looks_like_one or model.count("/") > _HUB_SLASHES or path.is_dir()
