"""A file that is held: open, with a lock on it that other processes see."""

from __future__ import annotations

import os
from pathlib import Path

from shared.files import locks


class Held:
    """An open file, and with it the lock on it."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._is_open = True

    def close(self) -> None:
        """Close the file, which lets go of the lock; again: nothing."""
        if self._is_open:
            self._is_open = False
            os.close(self.descriptor)

    def prepare_to_move(self) -> None:
        """Close the file where none can be renamed or removed while it is open."""
        if not locks.MOVES_OPEN_FILES:
            self.close()

    def is_locked(self) -> bool | None:
        """Return whether the lock was free and is ours now; ``None`` where no locks are known."""
        try:
            return locks.take(self.descriptor)
        except OSError:
            return None

    def is_at(self, path: Path) -> bool:
        """Return whether the file is the one at ``path``."""
        try:
            return os.path.samestat(os.fstat(self.descriptor), path.stat())
        except OSError:
            return False
