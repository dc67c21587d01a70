"""The hub's own package as all here use it: its log, its bars, and the errors of its client."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_CLIENTS: Final = ("http", "requests", "urllib3")
"""How the names of packages begin with which releases of `huggingface_hub` ask the hub."""


def log_once() -> None:
    """Have the hub's package hand its warnings to our log, and not write them too."""
    logger = logging.getLogger("huggingface_hub")
    for handler in list(logger.handlers):
        logger.removeHandler(handler)


def is_of_clients(error: Exception) -> bool:
    """Return whether it is of the client of HTTP, whose errors the hub's package passes on."""
    return type(error).__module__.startswith(_CLIENTS)


def first_line(error: Exception) -> str:
    """Return what an error says first."""
    return str(error).strip().partition("\n")[0] or type(error).__name__


@contextmanager
def bars_on_terminals() -> Iterator[None]:
    """Let the hub draw its bars where they are seen."""
    from huggingface_hub.utils.tqdm import (  # noqa: PLC0415
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )

    quiet = not sys.stderr.isatty() and not are_progress_bars_disabled()
    if quiet:
        disable_progress_bars()
    try:
        yield
    finally:
        if quiet:
            enable_progress_bars()
