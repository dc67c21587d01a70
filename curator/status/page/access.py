"""Where the status page listens, as ``--status HOST:PORT`` says it."""

from __future__ import annotations

from shared.endpoints.keys.variables import TOKEN_VARIABLE
from shared.web.access import Address, address_in


def parse_address(text: str, token: str | None = None) -> Address:
    """Return the address in ``HOST:PORT``.

    Raises:
        InputError: not an address; one that others can reach, without a token; a bad token.
    """
    return address_in(text, token, option="--status", variable=TOKEN_VARIABLE)
