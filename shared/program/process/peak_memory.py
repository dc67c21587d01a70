"""The most memory that this process has had."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any, Final

_STATUS: Final = Path("/proc/self/status")
_KIB: Final = 1024


def peak_bytes() -> int:
    """Return the largest resident set of this process so far, in bytes; 0 where none is told."""
    if _STATUS.is_file():
        # Of this program alone: what getrusage tells began before its start, in its parent.
        for line in _STATUS.read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * _KIB
    try:
        import resource  # noqa: PLC0415 - Windows has none
    except ModuleNotFoundError:
        return _peak_on_windows()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * _KIB


def _peak_on_windows() -> int:
    # What trains and measures has it, by way of accelerate.
    psutil: Any = importlib.import_module("psutil")
    return int(getattr(psutil.Process().memory_info(), "peak_wset", 0))
