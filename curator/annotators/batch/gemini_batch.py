"""Gemini's Files and Batch API, through google-genai's public calls.

One client for each key; all share one HTTP session, which raises what is no success before the SDK
reads it, and hands over what the SDK leaves out of a job. The SDK's own retries are off: a job that
is made twice asks everything twice. Every error becomes a ``Refusal``.
"""

from __future__ import annotations

import io
import re
import ssl
import warnings
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Coroutine
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, TypeVar

from curator.annotators.batch.operations import Operation, read_operation
from shared.endpoints.keys.key import Key
from shared.endpoints.protocols.annotator import Connection, proxy_for
from shared.endpoints.protocols.doors.addresses import server_and_version
from shared.endpoints.refusals.error_answers import LONGEST_BODY, refusal_of
from shared.endpoints.refusals.refusal import (
    Refusal,
    Unavailable,
)
from shared.program.reporting.secret_mask import SecretMask

if TYPE_CHECKING:
    import aiohttp
    from google import genai

LINES_TYPE: Final = "application/jsonl"
_OK: Final = 200
_FORBIDDEN: Final = 403
_NOT_FOUND: Final = 404
_NAMED: Final = re.compile(r"/(batches|files)/[^/]+$")
"""The end of an address that is about one job or file."""
_HIDDEN: Final = re.compile(r"permission to access|may not exist", re.IGNORECASE)
"""What is told of one that another project made; the key itself is as good as ever."""
_PAGE: Final = 100
_CONNECTIONS: Final = 8
_LATEST: Final[ContextVar[list[str] | None]] = ContextVar("latest_body", default=None)
"""Takes the body of the answer to the call under way, where that is asked for."""

Told = TypeVar("Told")


class NoSuchJob(Refusal):
    """The service knows no such job or file, or does not show it to this project."""


class _Refused(Exception):
    """An answer that is no success, with as much of its body as came."""

    def __init__(self, response: aiohttp.ClientResponse, body: str) -> None:
        super().__init__(response.status)
        self.status = response.status
        self.headers = dict(response.headers)
        self.url = str(response.url.with_query(None))
        self.body = body


async def _stay_here(_: object, __: object, redirect: aiohttp.TraceRequestRedirectParams) -> None:
    """Raise a redirect: neither a key nor a picture goes elsewhere.

    The SDK can be told so for all but the parts of an upload.
    """
    raise _Refused(redirect.response, "")


async def _take_over(response: aiohttp.ClientResponse) -> None:
    """Raise what is no success; keep the body of what is one where it is asked for."""
    if response.status == _OK:
        if (bodies := _LATEST.get()) is not None:
            bodies.append((await response.read()).decode(errors="replace"))
        return
    body = b""
    try:
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > LONGEST_BODY:
                break
    except Exception:  # noqa: BLE001, S110 - the status is known; of the body, what came counts
        pass
    raise _Refused(response, body.decode(errors="replace"))


async def _named(listing: Awaitable[AsyncIterable[Any]], display_name: str) -> str:
    """Return the name at the service of what was given ``display_name``, else nothing."""
    async for entry in await listing:
        if entry.display_name == display_name and entry.name:
            return str(entry.name)
    return ""


class GeminiBatch:
    """Makes, watches and ends batch jobs with whatever key each call brings."""

    def __init__(
        self, session: aiohttp.ClientSession, context: ssl.SSLContext, at: Connection
    ) -> None:
        """The session stays the caller's to close."""
        self._session = session
        self._context = context
        self._server, self._version = server_and_version(at.base_url)
        self._timeout_s = at.timeout_s
        self._clients: dict[str, genai.Client] = {}

    @classmethod
    @asynccontextmanager
    async def connected(cls, connection: Connection) -> AsyncIterator[GeminiBatch]:
        """Open a session for the time of the block."""
        import aiohttp  # noqa: PLC0415 - half a second, and few runs come here

        from shared.endpoints.connections import CleanConnector  # noqa: PLC0415 - as that

        # Of a state that it does not know: that is told in our words.
        warnings.filterwarnings("ignore", r".* is not a valid JobState", UserWarning)
        context = ssl.create_default_context()
        trace = aiohttp.TraceConfig()
        trace.on_request_redirect.append(_stay_here)
        async with aiohttp.ClientSession(
            connector=CleanConnector(limit=_CONNECTIONS, ssl=context),
            trust_env=False,
            proxy=proxy_for(server_and_version(connection.base_url)[0]),
            cookie_jar=aiohttp.DummyCookieJar(),
            raise_for_status=_take_over,
            trace_configs=[trace],
        ) as session:
            yield cls(session, context, connection)

    async def upload(self, key: Key, content: bytes, display_name: str) -> str:
        """Upload a file of requests; return its name at the service.

        Raises:
            Refusal: it is not there, or that is not known.
        """
        config: Any = {"display_name": display_name, "mime_type": LINES_TYPE}
        file = await self._told(
            key, self._client(key).aio.files.upload(file=io.BytesIO(content), config=config)
        )
        if not file.name:
            raise Unavailable("an upload that got no name")
        return file.name

    async def create(self, key: Key, model: str, file_name: str, display_name: str) -> Operation:
        """Make a job of the requests in a file.

        Raises:
            Refusal: there is none, or that is not known: ``Unavailable``.
        """
        config: Any = {"display_name": display_name}
        made = self._client(key).aio.batches.create(model=model, src=file_name, config=config)
        return await self._operation(key, made)

    async def look(self, key: Key, job_name: str) -> Operation:
        """Return how a job stands.

        Raises:
            NoSuchJob: it is not there, for the project of ``key``.
            Refusal: there was no answer.
        """
        return await self._operation(key, self._client(key).aio.batches.get(name=job_name))

    async def find(self, key: Key, display_name: str) -> str:
        """Return the name of the job that was given ``display_name``, empty where there is none.

        Raises:
            Refusal: there was no answer.
        """
        jobs = self._client(key).aio.batches.list(config={"page_size": _PAGE})
        return await self._told(key, _named(jobs, display_name))

    async def find_file(self, key: Key, display_name: str) -> str:
        """Return the name of the file that was given ``display_name``, empty where there is none.

        Raises:
            Refusal: there was no answer.
        """
        files = self._client(key).aio.files.list(config={"page_size": _PAGE})
        return await self._told(key, _named(files, display_name))

    async def results(self, key: Key, file_name: str) -> bytes:
        """Return the content of a job's file of results.

        Raises:
            NoSuchJob: it is not there.
            Refusal: it did not come whole.
        """
        return await self._told(key, self._client(key).aio.files.download(file=file_name))

    async def cancel(self, key: Key, job_name: str) -> None:
        """Ask the service to end a job.

        Raises:
            Refusal: it will not, or there was no answer.
        """
        await self._told(key, self._client(key).aio.batches.cancel(name=job_name))

    async def delete_file(self, key: Key, file_name: str) -> None:
        """Delete a file; one that is not there is fine.

        Raises:
            Refusal: it is still there, or that is not known.
        """
        try:
            await self._told(key, self._client(key).aio.files.delete(name=file_name))
        except NoSuchJob:
            return

    async def _operation(self, key: Key, call: Coroutine[Any, Any, object]) -> Operation:
        bodies: list[str] = []
        token = _LATEST.set(bodies)
        try:
            await self._told(key, call)
        finally:
            _LATEST.reset(token)
        return read_operation(bodies[-1] if bodies else "", SecretMask([key.secret]))

    async def _told(self, key: Key, call: Coroutine[Any, Any, Told]) -> Told:
        """Return what a call of the SDK returns; raise all else as a refusal."""
        import aiohttp  # noqa: PLC0415 - as above
        from google.genai import errors  # noqa: PLC0415 - as above

        from shared.endpoints.connections import refusal_of_connection  # noqa: PLC0415 - as that

        refusal: Refusal
        try:
            return await call
        except _Refused as refused:
            refusal = _refusal_of(refused, SecretMask([key.secret]))
        except TimeoutError:
            refusal = Unavailable(f"no answer within {self._timeout_s:g} s")
        except (aiohttp.ClientError, OSError) as error:
            refusal = refusal_of_connection(error) or Unavailable(
                f"connection failed ({type(error).__name__})"
            )
        # What the SDK makes of an answer that is not as it should be differs with the call.
        except (errors.APIError, ValueError, KeyError, TypeError, AttributeError) as error:
            refusal = Unavailable(f"an answer that cannot be read ({type(error).__name__})")
        # Raised out here so that no error, which may quote the key, becomes its context.
        raise refusal

    def _client(self, key: Key) -> genai.Client:
        from google import genai  # noqa: PLC0415 - two seconds, and few runs come here
        from google.genai import types  # noqa: PLC0415

        if key.secret not in self._clients:
            options = types.HttpOptions(
                base_url=self._server,
                api_version=self._version,
                timeout=round(self._timeout_s * 1000),
                # Without them, what was sent is sent again when its connection drops.
                retry_options=types.HttpRetryOptions(attempts=1),
                aiohttp_client=self._session,
                async_client_args={"ssl": self._context, "allow_redirects": False},
            )
            self._clients[key.secret] = genai.Client(
                enterprise=False, api_key=key.secret, http_options=options
            )
        return self._clients[key.secret]


def _refusal_of(refused: _Refused, mask: SecretMask) -> Refusal:
    refusal = refusal_of(refused.status, refused.body, refused.headers, mask, url=refused.url)
    is_hidden = refused.status == _FORBIDDEN and _HIDDEN.search(refused.body)
    if _NAMED.search(refused.url) and (refused.status == _NOT_FOUND or is_hidden):
        return NoSuchJob(refusal.reason)
    return refusal
