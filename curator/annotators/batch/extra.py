"""What batch jobs need besides the curator's own packages."""

from __future__ import annotations

from importlib.util import find_spec

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
