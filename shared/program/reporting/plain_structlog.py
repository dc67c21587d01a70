"""structlog without rich, which it imports wherever that is installed.

It would draw the tracebacks of exceptions with it, local variables and all, keys among them; here
they arrive as text. To import rich takes a run a twentieth of its start.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

__all__ = ["structlog"]

_NAME: Final = "rich"


@contextmanager
def _as_if_not_installed(name: str) -> Iterator[None]:
    """Within it, importing ``name`` fails as where it is not installed.

    (https://docs.python.org/3/reference/import.html#the-module-cache)
    """
    imported = sys.modules.get(name)
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[name]
        if imported is not None:
            sys.modules[name] = imported


with _as_if_not_installed(_NAME):
    import structlog
