"""Asks any server that speaks OpenAI's chat completions, through the official SDK.

One client for each key; all share one HTTP client. The SDK's own retries are off: each request is
counted in the ledger, so that there is one layer of retries, ours. Of its wire format this module
knows nothing; that is in ``curator.chat_completions``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from curator.annotator import Reply, check_base_url, is_loopback
from curator.chat_completions import (
    AskedForm,
    form_fields,
    messages,
    read_completion,
    refusal_of,
)
from curator.keys import Key
from curator.prompt import Request
from curator.refusals import BadRequest, FormNotTaken, Refusal, Unavailable, Unreachable
from shared.errors import InputError
from shared.events import SecretMask

if TYPE_CHECKING:
    import openai

_NO_KEY: Final = "none"
"""What is sent where there is no key: the SDK insists on one, local servers ignore it."""


class OpenAIClient:
    """Asks one model, with whatever key each request brings."""

    def __init__(
        self,
        http_client: openai.DefaultAsyncHttpxClient,
        *,
        model: str,
        base_url: str | None,
        timeout_s: float,
    ) -> None:
        """Ask ``model``; the HTTP client stays the caller's to close."""
        self._http_client = http_client
        self._model = model
        self._base_url = base_url
        self._timeout_s = timeout_s
        self._clients: dict[str, openai.AsyncOpenAI] = {}
        self._form = AskedForm.SCHEMA
        self._form_is_taken = False

    @classmethod
    @asynccontextmanager
    async def connected(
        cls, *, model: str, base_url: str | None, timeout_s: float
    ) -> AsyncIterator[OpenAIClient]:
        """Open connections for the time of the block.

        Raises:
            InputError: the SDK is not installed, or ``base_url`` is not an address.
        """
        require_sdk()
        import openai  # noqa: PLC0415 - an extra of its own, and a second to import

        # A proxy that the environment names cannot reach a server on this machine.
        local = is_loopback(check_base_url(base_url))
        async with openai.DefaultAsyncHttpxClient(trust_env=not local) as http_client:
            yield cls(http_client, model=model, base_url=base_url, timeout_s=timeout_s)

    async def generate(self, request: Request, key: Key) -> Reply:
        """Send one request with ``key``, once.

        Raises:
            Refusal: whatever came instead of a reply; see ``curator.refusals``.
        """
        import openai  # noqa: PLC0415 - as above

        form = self._form
        refusal: Refusal
        create: Any = self._client(key).chat.completions.with_raw_response.create
        try:
            response = await create(
                model=self._model,
                messages=messages(request),
                **form_fields(request.schema, form),
            )
        except openai.APITimeoutError:
            refusal = Unavailable(f"no answer within {self._timeout_s:g} s")
        except openai.APIConnectionError as error:
            cause = type(error.__cause__ or error).__name__
            # By name, for releases of the SDK differ in the library that connects.
            if cause == "ConnectError":
                refusal = Unreachable(f"no connection ({cause})")
            else:
                refusal = Unavailable(f"connection failed ({cause})")
        except openai.APIStatusError as error:
            headers, mask = error.response.headers, SecretMask([key.secret])
            refusal = self._refused(refusal_of(error.status_code, error.body, headers, mask), form)
        except (openai.OpenAIError, ValueError) as error:
            refusal = Unavailable(f"an unreadable reply ({type(error).__name__})")
        else:
            self._form_is_taken = True
            return read_completion(str(response.text))
        # Raised out here so that no SDK error, which may quote the key, hangs on as its context.
        raise refusal

    def _refused(self, refusal: Refusal, form: AskedForm) -> Refusal:
        """Ask more plainly from now on where the form may be what a server does not take."""
        if not isinstance(refusal, BadRequest) or form is AskedForm.PLAIN or self._form_is_taken:
            return refusal
        if form is self._form:
            forms = list(AskedForm)
            self._form = forms[forms.index(form) + 1]
        return FormNotTaken(refusal.reason)

    def _client(self, key: Key) -> openai.AsyncOpenAI:
        import openai  # noqa: PLC0415 - as above

        if key.secret not in self._clients:
            self._clients[key.secret] = openai.AsyncOpenAI(
                api_key=key.secret or _NO_KEY,
                base_url=self._base_url,
                timeout=self._timeout_s,
                max_retries=0,
                http_client=self._http_client,
            )
        return self._clients[key.secret]


def require_sdk() -> None:
    """Look that the SDK is there.

    Raises:
        InputError: it is not installed.
    """
    try:
        import openai  # noqa: F401, PLC0415
    except ImportError as error:
        raise InputError(
            "--annotator openai needs its extra: pip install 'abo-vqa[curator,openai]'"
        ) from error
