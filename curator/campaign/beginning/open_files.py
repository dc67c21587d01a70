"""How many requests may be under way at once with the files that this process may have open."""

from __future__ import annotations

import contextlib
from typing import Final

from shared.errors import InputError
from shared.program.reporting.event_log import EventLog

OTHER_FILES: Final = 64
"""The ledger's, the logs', the photos' that are read, and those of whoever looks at the page."""

log = EventLog(__name__)


def affordable_concurrency(wanted: int) -> int:
    """Return how many of ``wanted`` requests can have a connection each; raise the soft limit.

    Raises:
        InputError: not even one.
    """
    try:
        import resource  # noqa: PLC0415
    except ModuleNotFoundError:  # Windows has neither the module nor the limit
        return wanted

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + OTHER_FILES
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted
    reached = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (reached, hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    affordable = min(wanted, soft - OTHER_FILES)
    if affordable < 1:
        raise InputError(
            f"this process may have {soft} files open, and a run needs {OTHER_FILES + 1}; "
            "raise `ulimit -n`"
        )
    if affordable < wanted:
        log.warning(
            "concurrency_lowered",
            wanted=wanted,
            concurrency=affordable,
            reason=f"only {soft} files may be open; raise `ulimit -n` for more",
        )
    return affordable
