"""The connections that requests go over, with nothing on them that nobody asked for.

aiohttp keeps a connection for the next request as long as it is open. What came on it meanwhile (a
reply sent twice, the answer to a request that was given up, a proxy's 408) it takes for the answer
to that next request, with the picture of another one.
"""

from __future__ import annotations

from typing import Final

import aiohttp
from aiohttp.connector import Connection
from aiohttp.tracing import Trace

from shared.endpoints.refusals.refusal import Refusal, Unreachable, proxy_refused, untrusted

_MOST_TRIED: Final = 3
"""Connections that may have been told something before they are asked; new ones seldom are."""


class CleanConnector(aiohttp.TCPConnector):
    """Closes kept connections on which something came."""

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - as aiohttp calls it
    ) -> Connection:
        """Return a connection on which nothing came yet.

        Raises:
            aiohttp.ClientError, OSError: there is none.
        """
        for _ in range(_MOST_TRIED):
            connection = await super().connect(req, traces, timeout)
            if connection.protocol is not None and not connection.protocol.should_close:
                return connection
            connection.close()
        raise aiohttp.ClientConnectionError("the server speaks before it is asked")


def refusal_of_connection(error: aiohttp.ClientError | OSError) -> Refusal | None:
    """Return why there was no connection; ``None`` where there was one, and it failed later."""
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return untrusted(f"{error.certificate_error}")
        case aiohttp.ClientHttpProxyError():
            return proxy_refused(error.status)
        case aiohttp.ClientConnectorError():
            reason = error.strerror or type(error).__name__
            return Unreachable(f"no connection to {error.host}:{error.port} ({reason})")
        case _:
            return None
