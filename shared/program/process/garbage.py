"""When Python looks for garbage: not among what stays to the end anyway."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def garbage_left_alone() -> Iterator[None]:
    """Look for no garbage in the block, nor ever among what it made: modules, rows of a file.

    Going through all that is there again and again takes a fifth of the time of a command that
    holds 150,000 rows. For a command alone: nor is anything looked at again that was there before,
    so that what a caller from Python lets go of might stay for good.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_on:
            gc.enable()


def leave_alone_what_stays() -> None:
    """Look for garbage once, and never again among what is left: for a server that is loaded.

    With torch and a model, going through all that keeps whoever asks waiting for a third of a
    second, every now and then. For a command alone, as above.
    """
    gc.collect()
    gc.freeze()
