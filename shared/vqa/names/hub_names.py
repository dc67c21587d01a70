"""Names of models: which of them mean a folder, so that a misspelt one is not sought on a hub."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from shared.program.command_line.nearest import nearest

_OWNER_AND_NAME: Final = 2
_IN_A_URL: Final = re.compile(
    r"(?:hf://(?:models/)?|https?://[^/]+/)(?P<id>(?!datasets/|spaces/)[\w.-]+/[\w.-]+)(?:/|$)"
)


def means_a_folder(name: str) -> bool:
    """Return whether a name can only be that of a folder, there or not.

    ``./blip``, ``~/blip``, ``blip/``, ``a/b/c``; and ``models/blip`` beside a folder ``models``,
    unless a model of this name has been fetched from a hub before.
    """
    parts = name.replace(os.sep, "/").split("/")
    if name.startswith((".", "~")) or "" in parts or len(parts) > _OWNER_AND_NAME:
        return True
    return len(parts) == _OWNER_AND_NAME and Path(parts[0]).is_dir() and not _was_fetched(name)


def near_folder(name: str) -> str:
    """Return a question that names the folder that may have been meant, if one is near."""
    path = Path(name).expanduser()
    try:
        beside = [folder.name for folder in path.parent.iterdir() if folder.is_dir()]
    except OSError:
        return ""
    near = nearest(path.name, beside, likeness=0.6)
    return f"; did you mean {path.parent / near[0]}?" if near else ""


def hub_id_of(url: str) -> str:
    """Return the hub id in a URL such as a hub's own pages have; empty where there is none.

    >>> hub_id_of("hf://owner/name"), hub_id_of("https://hub.test/owner/name/tree/main")
    ('owner/name', 'owner/name')
    >>> hub_id_of("owner/name"), hub_id_of("hf://datasets/owner/name")
    ('', '')
    """
    found = _IN_A_URL.match(url)
    return found["id"] if found else ""


def _was_fetched(name: str) -> bool:
    # A quarter of a second to import, and few names stand beside a folder that is called so.
    from huggingface_hub import try_to_load_from_cache  # noqa: PLC0415
    from huggingface_hub.errors import HFValidationError  # noqa: PLC0415

    try:
        return isinstance(try_to_load_from_cache(name, "config.json"), str)
    except HFValidationError:
        return False
