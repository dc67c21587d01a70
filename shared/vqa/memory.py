"""Memory that runs out, of a GPU or of the machine: told from other errors, and met with half."""

from __future__ import annotations

from typing import Final

import structlog
import torch

from shared.errors import AboVqaError

log = structlog.get_logger(__name__)

OUT_OF_MEMORY: Final = (torch.OutOfMemoryError, MemoryError, RuntimeError)
"""What may be raised for want of memory; ``halved`` lets pass what was not."""
CPU_ALLOCATOR_FAILED: Final = ("DefaultCPUAllocator", "not enough memory", "can't allocate memory")
"""How torch's RuntimeError speaks where the machine, not a GPU, has no more memory."""


def halved(size: int, what: str, error: Exception) -> int:
    """Return half of a batch that did not fit, or raise what says that it did not.

    Raises:
        RuntimeError: ``error`` is not about memory.
        AboVqaError: even one does not fit.
    """
    if not isinstance(error, torch.OutOfMemoryError | MemoryError) and not any(
        sign in str(error) for sign in CPU_ALLOCATOR_FAILED
    ):
        raise error
    if size == 1:
        raise AboVqaError(
            f"out of memory with {what} one by one; give it a larger machine"
        ) from error
    log.warning("out_of_memory", what=what, batch=size, goes_on_with=size // 2)
    return size // 2
