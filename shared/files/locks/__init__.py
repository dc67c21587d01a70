"""Locks on open files, which the system lets go of however the process ends.

``share``, ``take``, ``wait`` and ``release`` are given a file's descriptor. They raise ``OSError``
where the file system knows no locks.
"""

try:
    from shared.files.locks.posix import (
        MOVES_OPEN_FILES,
        leaves_record_locks,
        release,
        share,
        take,
        wait,
    )
except ModuleNotFoundError:  # Windows has no fcntl
    from shared.files.locks.windows import (
        MOVES_OPEN_FILES,
        leaves_record_locks,
        release,
        share,
        take,
        wait,
    )

__all__ = ["MOVES_OPEN_FILES", "leaves_record_locks", "release", "share", "take", "wait"]
