"""Curator: fills a VQA data set out of a catalogue through a pool of Gemini keys.

``curate`` does from Python what ``curator run`` does; see ``curator.api``. It is what stays; all
else may change with any release.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from curator.api import curate

__all__ = ["curate"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - as PEP 562 has it
    """Return a function of the API, imported once it is asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from curator import api  # noqa: PLC0415 - `--help` has no time for it

    return getattr(api, name)
