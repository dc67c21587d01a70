"""Which Ray the work runs on, and how much of it each replica of a model takes."""

from __future__ import annotations

import math
import os
import socket
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any, Final

import ray
from ray.exceptions import RayError

from shared.cluster.authentication import (
    asks_for_token,
    make_token_for_here,
    token_advice,
)
from shared.cluster.head import HeadWatch, host_and_port
from shared.errors import AboVqaError, InputError
from shared.program.stopping import own_signals
from shared.value_class import value_class

OBJECT_STORE_BYTES: Final = 200 * 2**20
"""Enough for what crosses the store here: file names in, rows of text out."""
CONNECT_TIMEOUT_S: Final = 10.0
ADDRESS_VARIABLE: Final = "RAY_ADDRESS"
TEMPORARY_VARIABLE: Final = "RAY_TMPDIR"
_SOCKET_NAME_TOO_LONG: Final = "AF_UNIX path length"
_QUIET: Final[Mapping[str, Any]] = {"logging_level": "ERROR", "log_to_driver": False}
_RAY_CLIENT: Final = "ray://"
_HEAD: Final = HeadWatch()
"""Of the one cluster that a process can have joined."""


@value_class
class ReplicaShare:
    """What one replica takes of a node: whole cores, and a part of a card or whole cards."""

    num_cpus: int
    num_gpus: float


def connect_ray(address: str | None, replicas: int, program: str) -> None:
    """Start Ray on this machine, or join the cluster at ``address`` or in ``RAY_ADDRESS``.

    ``program`` is who says so where a second signal ends it, or a head that is gone (see
    ``shared.cluster.head``).

    Raises:
        InputError: no cluster answers there.
        AboVqaError: Ray does not start on this machine.
        KeyboardInterrupt: SIGTERM arrived meanwhile.
    """
    with own_signals(program):
        if address:
            _join(address, f"--address {address}", "leave it out")
        elif joined := os.environ.get(ADDRESS_VARIABLE):
            _join(joined, f"{ADDRESS_VARIABLE}={joined}", "unset it")
        else:
            _start_ray_here(replicas)
    _HEAD.begin(_head_address(address), program, ray.is_initialized, ray.nodes)


def is_elsewhere(address: str | None) -> bool:
    """Return whether ``connect_ray`` joins a cluster, whose nodes need not be this machine."""
    return bool(address or os.environ.get(ADDRESS_VARIABLE))


def _head_address(address: str | None) -> str:
    """Return where the head of the joined cluster listens, as ``HOST:PORT``."""
    given = (address or os.environ.get(ADDRESS_VARIABLE, "")).removeprefix(_RAY_CLIENT)
    if ":" in given:
        return given
    joined: str = ray.get_runtime_context().gcs_address
    return joined


def _join(address: str, origin: str, to_leave: str) -> None:
    """Join a cluster; ``origin`` is how the address was given, ``to_leave`` how it is not."""
    if address.startswith(("http://", "https://")):
        raise InputError(
            f"{origin}: that is where a cluster takes jobs; give this command to `ray job submit "
            f"--address {address} -- ...`, or join the cluster by --address HOST:6379; {to_leave} "
            "to run on this machine"
        )
    try:
        _require_listener(address)
        ray.init(address=address, **_QUIET)
    except (OSError, ValueError, RuntimeError, RayError) as error:
        if asks_for_token(error):
            raise InputError(f"{origin}: {token_advice()}") from error
        raise InputError(
            f"{origin}: no Ray cluster answers there ({last_line(error)}); {to_leave} to run on "
            "this machine"
        ) from error


def leave_ray() -> None:
    """Leave the cluster, or stop the one on this machine; nothing happens where none was joined.

    Ray's threads print what became of workers, on standard output, as long as they live.
    """
    ray.shutdown()
    # Not before: without a head, leaving may take longer than Ray's patience.
    _HEAD.end()


def present_share(replicas: int, gpus_per_replica: float | None) -> ReplicaShare:
    """Return the share of each replica on the nodes that the joined cluster has now."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return replica_share(nodes, replicas, gpus_per_replica)


def replica_share(
    nodes: Sequence[Mapping[str, float]], replicas: int, gpus_per_replica: float | None
) -> ReplicaShare:
    """Return the largest share with which all replicas find room, or the smallest there is.

    ``nodes`` holds the resources of each. Several replicas go on a card where there are more of
    them than cards; ``gpus_per_replica`` overrides that.
    """
    cards = sum(int(node.get("GPU", 0)) for node in nodes)
    if gpus_per_replica is not None:
        num_gpus = gpus_per_replica
    elif cards:
        # Rounded down, or the last one on a card would wait for a sliver of it for ever.
        num_gpus = math.floor(10_000 / max(1, math.ceil(replicas / cards))) / 10_000
    else:
        num_gpus = 0.0
    most = max((int(node.get("CPU", 0)) for node in nodes), default=1)
    for num_cpus in range(most, 1, -1):
        share = ReplicaShare(num_cpus, num_gpus)
        if sum(_room(node, share) for node in nodes) >= replicas:
            return share
    return ReplicaShare(1, num_gpus)


def last_line(error: BaseException) -> str:
    """Return the line that says why, of one of Ray's messages of many lines."""
    lines = str(error).strip().splitlines()
    return lines[-1].strip() if lines else type(error).__name__


def _room(node: Mapping[str, float], share: ReplicaShare) -> int:
    """Return how many replicas fit on a node."""
    by_cpu = int(node.get("CPU", 0)) // share.num_cpus
    if not share.num_gpus:
        return by_cpu
    cards = int(node.get("GPU", 0))
    if share.num_gpus > 1:
        return min(by_cpu, cards // int(share.num_gpus))
    # A part of a card is never put together from two.
    return min(by_cpu, cards * int(1 / share.num_gpus))


def _start_ray_here(replicas: int) -> None:
    make_token_for_here()
    try:
        ray.init(
            # Not to be left out: Ray would join whatever cluster was last started on this machine.
            address="local",
            num_cpus=max(replicas, os.cpu_count() or 1),
            include_dashboard=False,
            object_store_memory=OBJECT_STORE_BYTES,
            **_QUIET,
        )
    # Where its processes start too slowly, Ray raises nothing narrower.
    except Exception as error:
        reason = last_line(error)
        if _SOCKET_NAME_TOO_LONG in reason:
            raise InputError(
                f"Ray cannot start: the name of the temporary folder {_temporary_folder()} is too "
                f"long for its sockets; set {TEMPORARY_VARIABLE} to a short one, such as /tmp"
            ) from error
        raise AboVqaError(f"Ray did not start on this machine: {reason}") from error


def _temporary_folder() -> str:
    return os.environ.get(TEMPORARY_VARIABLE) or tempfile.gettempdir()


def _require_listener(address: str) -> None:
    """Raise ``OSError`` where nobody listens: Ray would try for minutes, then end the process."""
    host, _, port = address.removeprefix(_RAY_CLIENT).rpartition(":")
    if host and port.isdecimal() and len(port) <= 5:  # noqa: PLR2004 - as long as ports are
        where = host_and_port(address.removeprefix(_RAY_CLIENT))
        socket.create_connection(where, CONNECT_TIMEOUT_S).close()
