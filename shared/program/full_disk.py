"""Tells a disk that takes no more from every other error, whichever library met it."""

from __future__ import annotations

import errno
import os
import re
from typing import Final

from shared.errors import AboVqaError

_NUMBERS: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS})
_NUMBERED: Final = re.compile(r"\b(?:os error|errno) (\d+)\b", re.IGNORECASE)
"""As libraries in Rust and C++ name an error of the system's in a text of their own."""
_OF_TORCH: Final = re.compile(
    r"PytorchStreamWriter failed writing file|inline_container\.cc.* unexpected pos"
)
"""torch.save tells no reason, only that its file came out shorter than it should."""
MAKE_ROOM: Final = "make room, and run the same command again"


class NotWritten(AboVqaError):
    """A file could not be written to its end; what was there before is as it was."""


def why_disk_takes_no_more(error: BaseException) -> str | None:
    """Return why nothing more could be written, where that is what ``error`` means.

    >>> why_disk_takes_no_more(OSError(28, "No space left on device"))
    'No space left on device'
    >>> why_disk_takes_no_more(RuntimeError("I/O error: No space left on device (os error 28)"))
    'No space left on device'
    >>> why_disk_takes_no_more(FileNotFoundError(2, "No such file or directory")) is None
    True
    """
    # What a library does in answer to a full disk may fail in its turn, and hide it.
    before = error.__cause__ or error.__context__
    return _why(error) or (why_disk_takes_no_more(before) if before else None)


def _why(error: BaseException) -> str | None:
    if isinstance(error, OSError) and error.errno is not None:
        return os.strerror(error.errno) if error.errno in _NUMBERS else None
    if _OF_TORCH.search(str(error)):
        return "it was cut off"
    numbers = (int(number) for number in _NUMBERED.findall(str(error)))
    return next((os.strerror(number) for number in numbers if number in _NUMBERS), None)
