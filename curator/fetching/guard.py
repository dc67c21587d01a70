"""Which addresses may be connected to: those of the public internet, unless a user says otherwise.

The check is made where a connection begins, on the very address that is connected to: what a name
resolved to a moment ago, where a redirect leads, and addresses written as numbers all pass here.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
from collections.abc import Iterable, Iterator
from typing import Any, Final

from shared.errors import InputError
from shared.value_class import value_class

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
AddressInfo = tuple[int, int, int, str, tuple[Any, ...]]
"""As ``socket.getaddrinfo`` returns them: family, kind, protocol, name and address."""

_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
"""Well-known prefix of translated IPv4 addresses, RFC 6052, section 2.1."""
_LAST_32_BITS: Final = 0xFFFFFFFF


class PrivateAddress(OSError):
    """The address is of this machine, its networks, or otherwise none of the public internet."""

    def __init__(self) -> None:
        # The same text for all, so that several addresses of a name are one error.
        super().__init__(
            errno.EACCES, "its address is none of the public internet (see --allow-private)"
        )


@value_class
class Guard:
    """Lets through public addresses, and those of ``networks``, which a user names."""

    networks: tuple[Network, ...] = ()

    def socket(self, address_info: AddressInfo) -> socket.socket:
        """Return a socket to connect to an address with.

        Raises:
            PrivateAddress: it may not be connected to.
        """
        family, kind, protocol, _, address = address_info
        if not self.lets_through(str(address[0])):
            raise PrivateAddress
        return socket.socket(family, kind, protocol)

    def lets_through(self, address: str) -> bool:
        """Return whether an IP address may be connected to."""
        ip = ipaddress.ip_address(address.partition("%")[0])
        return is_public(address) or any(ip in network for network in self.networks)


PUBLIC: Final = Guard()


def parse_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Return the networks that ``--allow-private 10.20.0.0/16`` names.

    Raises:
        InputError: one is no network.
    """
    networks = []
    for text in texts:
        try:
            networks.append(ipaddress.ip_network(text.strip(), strict=False))
        except ValueError as error:
            raise InputError(
                f"--allow-private {text!r}: write a network or an address, as 10.20.0.0/16"
            ) from error
    return tuple(networks)


def is_public(address: str) -> bool:
    """Return whether an IP address is one of the public internet, as IANA's registries say.

    An IPv6 address that stands for one of IPv4 is as public as that.

    >>> [is_public(a) for a in ("93.184.215.14", "10.0.0.1", "127.0.0.1", "::ffff:169.254.169.254")]
    [True, False, False, False]
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.teredo is not None:
            return False
        if (inner := next(_inner(ip), None)) is not None:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast


def _inner(ip: ipaddress.IPv6Address) -> Iterator[ipaddress.IPv4Address]:
    if ip.ipv4_mapped is not None:
        yield ip.ipv4_mapped
    if ip.sixtofour is not None:
        yield ip.sixtofour
    if ip in _NAT64:
        yield ipaddress.IPv4Address(int(ip) & _LAST_32_BITS)
