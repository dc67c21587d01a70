"""What batch jobs need: a package besides the curator's own, and keys that make jobs."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

from shared.endpoints.keys.key import Key
from shared.errors import InputError


def require_batch_sdk() -> None:
    """Check that google-genai is there, without the two seconds that it takes to import.

    Raises:
        InputError: it is not installed.
    """
    try:
        is_there = find_spec("google.genai") is not None
    except ImportError:
        is_there = False
    if not is_there:
        raise InputError("batch jobs need their extra: pip install 'abo-vqa[curator,google]'")


def require_key_for_jobs(keys: Sequence[Key]) -> None:
    """Check that some of ``keys`` makes batch jobs.

    Raises:
        InputError: all are accounts of Google Cloud, whose jobs would go through its storage.
    """
    if all(key.account is not None for key in keys):
        raise InputError(
            "--tier batch: accounts of Google Cloud make no jobs here (theirs would go through "
            "Cloud Storage): add a [[key]] with an api_key, or take another --tier"
        )
