"""What a request brings: read in good time, or turned away as no request of ours.

aiohttp raises errors of a dozen kinds over bodies that break the rules of their own format, each of
which would be an internal error and a traceback for anyone who can reach the port.
"""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from aiohttp import web

PATIENCE_S: Final = 60.0
"""For a whole body; an image of ten megabytes takes as long over 1.4 megabits a second."""
_BROKEN: Final = (
    # A field without a name, no boundary, text in no known encoding, nested parts, a lost client.
    *(ValueError, LookupError, RuntimeError, AssertionError, OSError, EOFError, zlib.error),
    web.RequestPayloadError,
)

Form = Mapping[str, str | bytes | bytearray | web.FileField]


async def form_in(request: web.Request) -> Form:
    """Return the fields of a form.

    Raises:
        HTTPBadRequest: the body is none.
        HTTPRequestEntityTooLarge: it is larger than the site takes.
        HTTPRequestTimeout: it did not come in time.
    """
    async with _turned_away_if_broken("a form"):
        return await request.post()


async def json_in(request: web.Request) -> Any:  # noqa: ANN401 - whatever was sent
    """Return the JSON value of a request's body.

    Raises:
        HTTPBadRequest: the body is none.
        HTTPRequestEntityTooLarge: it is larger than the site takes.
        HTTPRequestTimeout: it did not come in time.
    """
    async with _turned_away_if_broken("JSON"):
        body = await request.read()
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        reason = "nested too deep" if isinstance(error, RecursionError) else str(error)
        raise web.HTTPBadRequest(text=f"the body is not JSON ({reason})\n") from error


@asynccontextmanager
async def _turned_away_if_broken(wanted: str) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(PATIENCE_S):
            yield
    except TimeoutError:
        raise web.HTTPRequestTimeout(
            text=f"the body took longer than {PATIENCE_S:g} s\n", headers={"Connection": "close"}
        ) from None
    except _BROKEN as error:
        raise web.HTTPBadRequest(text=f"the body is not {wanted}\n") from error
