"""Watches the head of the cluster that was joined, without which Ray ends the process by itself.

Ray 2.60 looks for a head that is gone for 60 s, or ``RAY_gcs_rpc_server_reconnect_timeout_s``; then
its C++ core ends the process with exit code 1 and a line of its own, wherever Python is. Here a
thread ends it shortly before that, with our line and 75: nothing can be asked of Ray any more, and
what was answered or trained is kept. A head that comes back within the time is gone on with, and so
is one that still answers by the connection that Ray has.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
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

    def begin(
        self, address: str, program: str, joined: Callable[[], bool], asked: Callable[[], object]
    ) -> None:
        """Watch ``address``, ``HOST:PORT``, as long as the cluster is ``joined``.

        ``program`` begins the line that is said of a head that is gone for too long. ``asked`` asks
        the head for something by the connection that Ray has, and waits for the reply: what only
        takes no new connections, behind a firewall or at a name that nobody knows any more, is not
        gone.
        """
        self.end()
        self._over = threading.Event()
        arguments = (address, program, joined, asked, self._over)
        threading.Thread(target=_watch, args=arguments, name="head-watch", daemon=True).start()

    def end(self) -> None:
        """Watch no more."""
        self._over.set()


def _watch(
    address: str,
    program: str,
    joined: Callable[[], bool],
    asked: Callable[[], object],
    over: threading.Event,
) -> None:
    patience_s = _patience_s()
    pause_s = patience_s / _LOOKS
    gone_s, looked = 0.0, stopwatch()
    while not over.wait(pause_s) and joined():
        listens = is_listening(address, pause_s)
        # One look takes no longer: this process or its machine stood still, and saw nothing.
        gone_s = 0.0 if listens else gone_s + min(stopwatch() - looked, 2 * pause_s)
        looked = stopwatch()
        if gone_s < patience_s or over.is_set():
            continue
        if _returns_within(asked, pause_s):
            gone_s = 0.0
        elif not over.is_set():
            end_at_once(
                program,
                f"the head of the Ray cluster, {address}, is gone for {patience_s:g} s; what is "
                "done is kept: give the same command again to go on, with a cluster that runs",
            )


def _returns_within(asked: Callable[[], object], seconds: float) -> bool:
    """Return whether a call returns in time; one that does not is left to itself."""
    returned = threading.Event()

    def ask() -> None:
        # Whatever Ray raises of a head that is gone.
        with suppress(Exception):
            asked()
            returned.set()

    threading.Thread(target=ask, name="head-asked", daemon=True).start()
    return returned.wait(seconds)


def is_listening(address: str, timeout_s: float) -> bool:
    """Return whether somebody takes a connection at ``address``, ``HOST:PORT``."""
    try:
        socket.create_connection(host_and_port(address), timeout_s).close()
    except OSError:
        return False
    return True


def host_and_port(address: str) -> tuple[str, int]:
    """Return the parts of ``HOST:PORT``; an IPv6 address may stand in brackets.

    Raises:
        ValueError: there is no port.
    """
    host, _, port = address.rpartition(":")
    return host.removeprefix("[").removesuffix("]"), int(port)


def _patience_s() -> float:
    """Return how long a head may be gone: less than Ray waits for it."""
    given = os.environ.get(RAYS_PATIENCE, "")
    return _PART_OF_PATIENCE * (float(given) if given.isdecimal() else _RAYS_DEFAULT_S)
