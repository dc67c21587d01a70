"""``python -m tests.fakes.windows PROGRAM ...``: runs a program as far as can be as on Windows.

There is no ``fcntl`` and no ``resource``; locks are ``msvcrt``'s, which several cannot share; an
event loop knows no signals; folders cannot be opened, nor files that are open renamed or removed.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import runpy
import sys
import types
from pathlib import Path

_OPENS_FOLDERS = os.open


def _locking(descriptor: int, mode: int, _: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_UN if mode == 0 else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise PermissionError(13, "Permission denied") from error


def _refusing_open_files(function):
    def moved(source, *more, **named):
        descriptors = Path("/proc/self/fd").iterdir()
        if any(each.samefile(source) for each in descriptors if each.exists()):
            raise PermissionError(13, "The process cannot access the file", str(source))
        return function(source, *more, **named)

    return moved


def _open(path, flags, *more, **named):
    # shutil opens folders itself where it can; what is ours has no such flag.
    if Path(path).is_dir() and not flags & getattr(os, "O_DIRECTORY", 0):
        raise PermissionError(13, "Permission denied", str(path))
    return _OPENS_FOLDERS(path, flags, *more, **named)


def _no_signals(*_):
    raise NotImplementedError


def pretend() -> None:
    """Take away from this process what Windows does not have."""
    fake = types.ModuleType("msvcrt")
    fake.locking, fake.LK_UNLCK, fake.LK_NBLCK = _locking, 0, 2
    sys.modules.update({"fcntl": None, "resource": None, "msvcrt": fake})
    for name in ("replace", "rename", "unlink"):
        setattr(os, name, _refusing_open_files(getattr(os, name)))
    os.open = _open
    asyncio.SelectorEventLoop.add_signal_handler = _no_signals
    asyncio.SelectorEventLoop.remove_signal_handler = _no_signals


if __name__ == "__main__":
    pretend()
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
