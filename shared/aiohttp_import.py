"""Lets aiohttp read the certificates it trusts when it first connects by TLS, not at import.

aiohttp 3.12 to 3.14 makes two TLS contexts at import, and each reads all that the machine trusts: a
tenth of the CPU time in which a run starts, and of a page's server, which connects to nobody.
"""

from __future__ import annotations

from importlib.abc import Loader
from types import ModuleType
from typing import Final

from shared.import_watch import watch_for

_NAME: Final = "aiohttp.connector"


def watch_for_aiohttp() -> None:
    """Have aiohttp loaded so, from now on in this process."""
    watch_for(_NAME, _load)


def _load(own: Loader, module: ModuleType) -> None:
    # It takes ssl, which not every program needs.
    from shared.late_certificates import certificates_read_late  # noqa: PLC0415

    with certificates_read_late():
        own.exec_module(module)
