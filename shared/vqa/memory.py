"""Memory that runs out, of a GPU or of the machine: told from other errors, and met with half."""

from __future__ import annotations

from typing import Final

import torch

from shared.errors import AboVqaError
from shared.program.reporting.event_log import EventLog

log = EventLog(__name__)

OUT_OF_MEMORY: Final = (torch.OutOfMemoryError, MemoryError, RuntimeError)
"""What may be raised for want of memory; ``is_out_of_memory`` tells what was not."""
_CPU_ALLOCATOR_FAILED: Final = (
    "DefaultCPUAllocator",
    "not enough memory",
    "can't allocate memory",
)
"""How torch's RuntimeError speaks where the machine, not a GPU, has no more memory."""


def is_out_of_memory(error: Exception) -> bool:
    """Return whether one of ``OUT_OF_MEMORY`` was raised because memory ran out."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return any(sign in str(error) for sign in _CPU_ALLOCATOR_FAILED)


def halved(size: int, what: str, error: Exception) -> int:
    """Return half of a batch that did not fit, or raise what says that it did not.

    Args:
        size: how many were in the batch.
        what: what they are, such as ``images``.
        error: what was raised, one of ``OUT_OF_MEMORY``.

    Raises:
        RuntimeError: ``error`` is not about memory.
        AboVqaError: even one does not fit.
    """
    if not is_out_of_memory(error):
        raise error
    if size == 1:
        raise AboVqaError(
            f"out of memory with {what} one by one; give it a larger machine"
        ) from error
    log.warning("out_of_memory", what=what, batch=size, goes_on_with=size // 2)
    return size // 2
