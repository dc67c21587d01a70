"""The energy that the processors' own counters tell (RAPL), where a machine shows them.

Source: Linux, Documentation/power/powercap/powercap.rst.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

_COUNTERS: Final = Path("/sys/class/powercap")


def joules_so_far(counters: Path = _COUNTERS) -> float | None:
    """Return what all packages used since an instant of their own; ``None`` without counters.

    All processes of the machine are in it. A package is ``intel-rapl:0``; its parts, which have one
    more number, are not counted twice.
    """
    packages = [path for path in counters.glob("*-rapl:*") if path.name.count(":") == 1]
    try:
        told = [int((path / "energy_uj").read_text(encoding="ascii")) for path in packages]
    except OSError:
        return None
    return sum(told) / 1e6 if told else None
