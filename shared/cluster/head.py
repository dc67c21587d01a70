"""Watches the head of the cluster that was joined, without which Ray ends the process by itself.

Ray 2.60 looks for a head that is gone for 60 s, or ``RAY_gcs_rpc_server_reconnect_timeout_s``; then
its C++ core ends the process with exit code 1 and a line of its own, wherever Python is. Here a
thread ends it shortly before that, with our line and 75: nothing can be asked of Ray any more, and
what was answered or trained is kept. A head that comes back within the time is gone on with.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from typing import Final

from shared.program.clock import stopwatch
from shared.program.stopping import end_at_once

RAYS_PATIENCE: Final = "RAY_gcs_rpc_server_reconnect_timeout_s"
_RAYS_DEFAULT_S: Final = 60.0
"""Of Ray 2.60 (``src/ray/common/ray_config_def.h``), seen on 29 November 2026."""
_PART_OF_PATIENCE: Final = 0.75
_LOOKS: Final = 10
"""So often a head that is gone is looked for."""


class HeadWatch:
    """Looks, from a thread, whether somebody listens at the head's address; one head at a time."""

    def __init__(self) -> None:
        self._over = threading.Event()

    def begin(self, address: str, program: str, joined: Callable[[], bool]) -> None:
        """Watch ``address``, ``HOST:PORT``, as long as the cluster is ``joined``.

        ``program`` begins the line that is said of a head that is gone for too long.
        """
        self.end()
        self._over = threading.Event()
        arguments = (address, program, joined, self._over)
        threading.Thread(target=_watch, args=arguments, name="head-watch", daemon=True).start()

    def end(self) -> None:
        """Watch no more."""
        self._over.set()


def _watch(address: str, program: str, joined: Callable[[], bool], over: threading.Event) -> None:
    patience_s = _patience_s()
    pause_s, seen = patience_s / _LOOKS, stopwatch()
    while not over.wait(pause_s) and joined():
        if is_listening(address, pause_s):
            seen = stopwatch()
        elif stopwatch() - seen >= patience_s and not over.is_set():
            end_at_once(
                program,
                f"the head of the Ray cluster, {address}, is gone for {patience_s:g} s; what is "
                "done is kept: give the same command again to go on, with a cluster that runs",
            )


def is_listening(address: str, timeout_s: float) -> bool:
    """Return whether somebody takes a connection at ``address``, ``HOST:PORT``."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout_s).close()
    except OSError:
        return False
    return True


def _patience_s() -> float:
    """Return how long a head may be gone: less than Ray waits for it."""
    given = os.environ.get(RAYS_PATIENCE, "")
    return _PART_OF_PATIENCE * (float(given) if given.isdecimal() else _RAYS_DEFAULT_S)
