"""Out of memory, told with the setting to lower; and how much is in use."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

from shared.errors import AboVqaError
from shared.program.process.peak_memory import peak_bytes
from shared.vqa.memory import OUT_OF_MEMORY, is_out_of_memory

GIB = 2**30


class OutOfMemory(AboVqaError):
    """The device's memory does not hold what the settings ask for."""


@contextlib.contextmanager
def out_of_memory_names(advice: str) -> Iterator[None]:
    """Turn out-of-memory errors into one line that ends with ``advice``.

    Raises:
        OutOfMemory: memory ran out inside.
    """
    try:
        yield
    except OUT_OF_MEMORY as error:
        if not is_out_of_memory(error):
            raise
        which = "GPU memory" if isinstance(error, torch.OutOfMemoryError) else "memory"
        raise OutOfMemory(f"out of {which}; {advice}") from error


def peak_memory_gib(device: torch.device) -> float:
    """Return the most memory in use so far: the GPU's, or this process's on a CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / GIB
    return peak_bytes() / GIB
