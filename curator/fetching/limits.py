"""What a fetch is held to: sizes, times, numbers at once, and hosts; pure."""

from __future__ import annotations

from collections.abc import Sequence

from curator.fetching.guard import PUBLIC, Guard
from shared.errors import InputError
from shared.value_class import value_class


@value_class
class FetchLimits:
    """Bytes of a picture, seconds of a request, and requests at once: to one host, and in all.

    ``hosts`` are those that may be asked, ``*.example.com`` for all below one; empty for any.
    ``guard`` says which addresses may be.
    """

    largest_bytes: int
    timeout_s: float
    at_once: int
    at_once_a_host: int
    hosts: Sequence[str] = ()
    guard: Guard = PUBLIC

    def allows(self, host: str) -> bool:
        """Return whether ``host`` may be asked, as far as its name tells."""
        name = host.lower().rstrip(".")
        return not self.hosts or any(
            name.endswith(allowed[1:]) if allowed.startswith("*.") else name == allowed
            for allowed in self.hosts
        )


def parse_hosts(text: str | None) -> tuple[str, ...]:
    """Return the hosts that ``--hosts cdn.example.com,*.shop.example`` names.

    Raises:
        InputError: one is no name of a host.
    """
    hosts = [part.strip().lower().rstrip(".") for part in (text or "").split(",")]
    hosts = [host for host in hosts if host]
    for host in hosts:
        if "/" in host or "*" in host.removeprefix("*.") or ":" in host:
            raise InputError(
                f"--hosts {host!r}: write names of hosts alone, as cdn.example.com,*.shop.example"
            )
    return tuple(hosts)
