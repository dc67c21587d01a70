"""Where the status page listens, as ``--status HOST:PORT`` says it."""

from __future__ import annotations

from curator.keys.variables import TOKEN_VARIABLE
from shared.errors import InputError
from shared.web.access import Address, checked_address


def parse_address(text: str, token: str | None = None) -> Address:
    """Return the address in ``HOST:PORT``.

    Raises:
        InputError: not an address; one that others can reach, without a token; a bad token.
    """
    host, colon, port = text.rpartition(":")
    host = host.strip("[]") or "127.0.0.1"
    if not colon or not port.isdecimal() or int(port) > 65_535:  # noqa: PLR2004
        raise InputError(f"--status {text!r}: give HOST:PORT, such as 127.0.0.1:8765")
    return checked_address(
        host, int(port), token, option=f"--status {text!r}", variable=TOKEN_VARIABLE
    )
