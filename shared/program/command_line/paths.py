"""What was typed as a URL where a path has to be: as a path, it would become a folder ``s3:``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]+:$")


def url_of(path: object) -> str | None:
    """Return the URL that a path, or one of several, was typed as; ``None`` for what is none."""
    for each in path if isinstance(path, list | tuple) else (path,):
        if not isinstance(each, Path) or not each.parts:
            continue
        scheme, *rest = each.parts
        # What is there is meant, whatever its name.
        if _SCHEME.match(scheme) and not Path(scheme).exists():
            return f"{scheme}//{'/'.join(rest)}"
    return None


def no_path(name: str, url: str) -> str:
    """Return the sentence about a URL that was given for ``name``, which is a path."""
    return (
        f"{name} {url}: a URL; give a file or folder of this machine, such as one of a shared or "
        "mounted file system"
    )
