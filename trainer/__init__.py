"""Trainer: turns a data set into a LoRA adapter on a 4-bit base.

``fit`` and ``quantize`` do from Python what the commands do; see ``trainer.api``. They are what
stays; all else may change with any release.
"""

from typing import TYPE_CHECKING, Any

import shared  # noqa: F401 (first of all, see shared.torchvision_import)

if TYPE_CHECKING:
    from trainer.api import fit, quantize

__all__ = ["fit", "quantize"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - as PEP 562 has it
    """Return a function of the API, imported once it is asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from trainer import api  # noqa: PLC0415 - `--help` has no time for it

    return getattr(api, name)
