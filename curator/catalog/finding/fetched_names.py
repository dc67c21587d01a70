"""Where below an images folder the picture behind a URL is kept once it is fetched; pure."""

from __future__ import annotations

import hashlib
import re
from typing import Final
from urllib.parse import urlsplit

from curator.catalog.pictures import READ_SUFFIXES, suffix_of

_LONGEST_PART: Final = 120
"""Characters; file systems take 255 bytes, of which a character may have four."""
_SHORTENED: Final = 40
_DIGEST: Final = 10
_UNWANTED: Final = re.compile(r"[\x00-\x1f\\:*?\"<>|]")


def fetched_name(url: str) -> str | None:
    """Return the path of what a URL names, host first; ``None`` where that is no URL.

    A query is part of it as a digest, for it may be all that tells two pictures apart. A name that
    does not end as a picture's gets its suffix when it is known what it is.
    """
    try:
        parts = urlsplit(url if "://" in url else f"https:{url}")
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if not host:
        return None
    folders = [_cleaned(part) for part in parts.path.split("/") if part.strip(". ")]
    last = folders.pop() if folders else "index"
    if parts.query:
        last = _with(last, hashlib.sha256(parts.query.encode(errors="replace")).hexdigest())
    at_port = f"_{port}" if port else ""
    return "/".join([_cleaned(host) + at_port, *folders, last])


def _cleaned(part: str) -> str:
    """Return a part of a path that is a file's name on any system, and that is not hidden."""
    cleaned = _UNWANTED.sub("_", part).strip()
    if cleaned.startswith("."):
        cleaned = f"_{cleaned[1:]}"
    if len(cleaned) <= _LONGEST_PART:
        return cleaned
    return _with(cleaned, hashlib.sha256(part.encode(errors="replace")).hexdigest(), _SHORTENED)


def _with(name: str, digest: str, longest: int = _LONGEST_PART) -> str:
    suffix = suffix_of(name)
    if suffix not in READ_SUFFIXES:
        return f"{name[:longest]}-{digest[:_DIGEST]}"
    return f"{name[: -len(suffix)][:longest]}-{digest[:_DIGEST]}{name[-len(suffix) :]}"
