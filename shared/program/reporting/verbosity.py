"""How much a command tells: with ``-v`` all events, and where each of its options comes from.

It is a variable of the environment, so that the processes that a command starts tell as much.
"""

from __future__ import annotations

import os
from typing import Final

VARIABLE: Final = "ABO_VQA_VERBOSE"


def tell_more() -> None:
    """Have this process, and what it starts, tell all it has to tell."""
    os.environ[VARIABLE] = "1"


def tells_more() -> bool:
    """Return whether ``-v`` was given, here or to whoever started this process."""
    return os.environ.get(VARIABLE, "") not in {"", "0"}
