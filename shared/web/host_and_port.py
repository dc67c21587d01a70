"""``HOST:PORT``, as it is typed."""

from __future__ import annotations

from typing import Final

from shared.errors import InputError

_LARGEST_PORT: Final = 65_535


def host_and_port(text: str, option: str) -> tuple[str, int]:
    """Return what ``HOST:PORT`` says; without a host it is this machine's own.

    Raises:
        InputError: it is no such address; ``option`` stands in the message.
    """
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or int(port[:6]) > _LARGEST_PORT:
        raise InputError(f"{option} {text!r}: give HOST:PORT, such as 127.0.0.1:8765")
    return host.strip("[]") or "127.0.0.1", int(port)


def listening_at(listen: str, host: str | None, port: int | None) -> tuple[str, int]:
    """Return where to listen; ``host`` and ``port`` are how the first release took the two.

    Raises:
        InputError: ``listen`` is no address.
    """
    of_listen = host_and_port(listen, "--listen")
    return host or of_listen[0], of_listen[1] if port is None else port
