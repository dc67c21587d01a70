"""Asks any server that speaks OpenAI's chat completions, through the official SDK.

One client for each key; all share one HTTP client. The SDK's own retries are off: each request is
counted by the caller, so that there is one layer of retries, ours. Of its wire format this module
knows nothing; that is in ``chat_completions``. What the SDK would take from environment variables
is given, but for headers of the user's own (``OPENAI_CUSTOM_HEADERS``).
"""

from __future__ import annotations

import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Mapping, MutableMapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit, urlunsplit

from shared.endpoints.keys.key import Key
from shared.endpoints.keys.variables import OPENAI_KEYS
from shared.endpoints.models.asked_settings import NO_SETTINGS, ImageDetail, ModelSettings
from shared.endpoints.models.model_status import NO_STATUS, ModelStatus
from shared.endpoints.models.tier import Tier
from shared.endpoints.protocols.annotator import (
    NO_FORMS,
    AskedForm,
    Connection,
    Protocol,
    Reply,
    ask_without,
    check_base_url,
    proxy_for,
)
from shared.endpoints.protocols.chat_completions import (
    form_fields,
    messages,
    read_completion,
    require_listed,
    setting_fields,
    tier_fields,
)
from shared.endpoints.protocols.optional_fields import OptionalFields
from shared.endpoints.refusals.error_answers import LONGEST_BODY, refusal_of, shed_or_not
from shared.endpoints.refusals.refusal import (
    BadRequest,
    FormNotTaken,
    InvalidKey,
    ProjectRefused,
    Refusal,
    SettingNotTaken,
    Unanswered,
    Unavailable,
    Unreachable,
    proxy_refused,
    untrusted,
)
from shared.endpoints.request import Request
from shared.errors import InputError
from shared.program.reporting.secret_mask import SecretMask

if TYPE_CHECKING:
    import openai

OPENAI: Final = "https://api.openai.com/v1"

_NO_KEY: Final = "none"
"""What is sent where there is no key: the SDK insists on one, local servers ignore it."""
_ASKED_PATH: Final = "/chat/completions"
_LISTED_PATH: Final = "/models"
_NOT_ALLOWED: Final = re.compile(r"permission|scope|not allowed", re.IGNORECASE)
_VERSION: Final = re.compile(r"/v\d+\w*(/|$)", re.IGNORECASE)
_ERRORS_FROM: Final = 300
_UNTRUSTED: Final = "CERTIFICATE_VERIFY_FAILED"


class _Refused(Exception):
    """An answer that is no success, with as much of its body as came."""

    def __init__(self, status: int, headers: Mapping[str, str], body: str) -> None:
        super().__init__(status)
        self.status = status
        self.headers = headers
        self.body = body


async def _stop_at_errors(response: Any) -> None:  # noqa: ANN401 - of the SDK's HTTP library
    """Take over before a redirect is followed, or a body that was cut hides the status."""
    if response.status_code < _ERRORS_FROM:
        return
    body = b""
    try:
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > LONGEST_BODY:
                break
    # Releases of the SDK differ in the library that connects, and so in what it raises.
    except Exception:  # noqa: BLE001, S110 - the status is known; of the body, what came counts
        pass
    # Apart, so that nothing of the library stays attached as its cause.
    raise _Refused(response.status_code, response.headers, body.decode(errors="replace"))


class OpenAIClient:
    """Asks with whatever key and whichever model each request brings."""

    def __init__(
        self,
        http_client: openai.DefaultAsyncHttpxClient,
        *,
        base_url: str | None,
        timeout_s: float,
        forms: Mapping[str, AskedForm] = NO_FORMS,
        settings: MutableMapping[str, ModelSettings] | None = None,
        tier: Tier = Tier.STANDARD,
        optional: OptionalFields | None = None,
    ) -> None:
        """The HTTP client stays the caller's to close; ``forms`` are what models take."""
        self._http_client = http_client
        self._base_url = api_address(base_url)
        self._timeout_s = timeout_s
        self._clients: dict[str, openai.AsyncOpenAI] = {}
        self._forms = dict(forms)
        self._settings = {} if settings is None else settings
        self._tier = tier
        self._optional = optional or OptionalFields({}, wants_logprobs=False)
        self._taken: set[tuple[str, AskedForm]] = set()

    @classmethod
    @asynccontextmanager
    async def connected(
        cls,
        *,
        base_url: str | None,
        timeout_s: float,
        forms: Mapping[str, AskedForm] = NO_FORMS,
        settings: MutableMapping[str, ModelSettings] | None = None,
        tier: Tier = Tier.STANDARD,
        optional: OptionalFields | None = None,
    ) -> AsyncIterator[OpenAIClient]:
        """Open connections for the time of the block.

        Raises:
            InputError: the SDK is not installed, or ``base_url`` is not an address.
        """
        require_sdk()
        import openai  # noqa: PLC0415 - an extra of its own, and a second to import

        check_base_url(base_url)
        async with openai.DefaultAsyncHttpxClient(
            # It may send the passwords of a .netrc along; proxies are looked up by ``proxy_for``.
            trust_env=False,
            proxy=proxy_for(api_address(base_url)),
            verify=ssl.create_default_context(),
            follow_redirects=False,
            event_hooks={"response": [_stop_at_errors]},
        ) as http_client:
            yield cls(
                http_client,
                base_url=base_url,
                timeout_s=timeout_s,
                forms=forms,
                settings=settings,
                tier=tier,
                optional=optional,
            )

    async def generate(self, request: Request, key: Key, model: str) -> Reply:
        """Ask ``model`` one request with ``key``, once.

        Raises:
            Refusal: whatever came instead of a reply; see ``shared.endpoints.refusals.refusal``.
        """
        form = self._forms.get(model, AskedForm.SCHEMA)
        refusal: Refusal
        create: Any = self._client(key).chat.completions.with_raw_response.create
        settings = self._settings.get(model, NO_SETTINGS)
        optional = self._optional.of(request, model)
        asked = create(
            model=model,
            messages=messages(request, settings),
            **setting_fields(settings),
            **tier_fields(self._tier),
            **optional,
            **form_fields(request.schema, form),
            extra_body=dict(self._optional.further) or None,
        )
        try:
            body, headers = await self._answer(asked, key, _ASKED_PATH)
        except SettingNotTaken as error:
            refusal = ask_without(self._settings, model, settings, form, error)
        except (BadRequest, FormNotTaken, InvalidKey, ProjectRefused) as error:
            # Some call it a lack of permission what a model does not take.
            left_out = self._optional.refused(optional, model, error.reason)
            if left_out:
                refusal = FormNotTaken(error.reason, form, left_out)
            elif isinstance(error, (BadRequest, FormNotTaken)):
                refusal = self._plainer(error, form, model)
            else:
                refusal = error
        else:
            self._taken.add((model, form))
            return read_completion(body, headers, SecretMask([key.secret]))
        raise refusal

    async def look_up(self, key: Key, model: str) -> ModelStatus:
        """Ask once whether the server lists ``model`` for ``key``, which costs no quota.

        Raises:
            Refusal: it does not, or there was no answer; see ``shared.endpoints.refusals.refusal``.
        """
        refusal: Refusal
        listed: Any = self._client(key).models.with_raw_response.list
        try:
            body, _ = await self._answer(listed(), key, _LISTED_PATH)
        except InvalidKey as error:
            # A key may be made for completions alone: that it may not list models says nothing.
            refusal = Unavailable(error.reason) if _NOT_ALLOWED.search(error.reason) else error
        else:
            require_listed(model, body, SecretMask([key.secret]))
            return NO_STATUS
        raise refusal

    async def _answer(
        self, asked: Awaitable[Any], key: Key, path: str
    ) -> tuple[str, Mapping[str, str]]:
        """Return body and headers of a success; raise all else as a refusal."""
        import openai  # noqa: PLC0415 - as above

        refusal: Refusal
        try:
            response = await asked
        except openai.APITimeoutError:
            refusal = Unanswered(f"no answer within {self._timeout_s:g} s")
        except (_Refused, openai.APIConnectionError) as error:
            # Releases of the SDK differ in whether they wrap what they do not know.
            refusal = self._unanswered(error.__cause__ or error, key, path)
        except (openai.OpenAIError, ValueError) as error:
            refusal = Unanswered(f"an unreadable reply ({type(error).__name__})")
        else:
            return str(response.text), response.headers
        # Raised out here so that no SDK error, which may quote the key, becomes its context.
        raise refusal

    def _unanswered(self, cause: BaseException, key: Key, path: str) -> Refusal:
        if isinstance(cause, _Refused):
            mask, url = SecretMask([key.secret]), self._base_url + path
            refusal = refusal_of(cause.status, cause.body, cause.headers, mask, url=url)
            is_shed = self._tier is Tier.FLEX and path == _ASKED_PATH
            return shed_or_not(cause.status, refusal) if is_shed else refusal
        name = type(cause).__name__
        if _UNTRUSTED in str(cause):
            return untrusted(str(cause))
        if name == "ProxyError" and (answer := re.match(r"[45]\d\d\b", str(cause))):
            return proxy_refused(int(answer[0]))
        # By name, for releases of the SDK differ in the library that connects.
        if name == "ConnectError":
            return Unreachable(f"no connection ({name})")
        return Unanswered(f"connection failed ({name})")

    def _plainer(self, refusal: BadRequest | FormNotTaken, form: AskedForm, model: str) -> Refusal:
        """Ask ``model`` more plainly from now on where the form may be what it does not take."""
        if form is AskedForm.PLAIN or (model, form) in self._taken:
            return BadRequest(refusal.reason)
        if form is self._forms.get(model, AskedForm.SCHEMA):
            forms = list(AskedForm)
            self._forms[model] = forms[forms.index(form) + 1]
        return FormNotTaken(refusal.reason, self._forms[model])

    def _client(self, key: Key) -> openai.AsyncOpenAI:
        import openai  # noqa: PLC0415 - as above

        if key.secret not in self._clients:
            secret = key.secret or _NO_KEY
            headers: dict[str, Any] = {
                "Authorization": f"Bearer {secret}",
                "OpenAI-Organization": openai.Omit(),
                "OpenAI-Project": openai.Omit(),
            }
            self._clients[key.secret] = openai.AsyncOpenAI(
                api_key=secret,
                default_headers=headers,
                base_url=self._base_url,
                timeout=self._timeout_s,
                max_retries=0,
                http_client=self._http_client,
            )
        return self._clients[key.secret]


def api_address(base_url: str | None) -> str:
    """Return what stands before ``/chat/completions``, out of as much of an address.

    An address that ends so is taken at its word; one without a version gets ``/v1``.
    """
    parts = urlsplit((base_url or OPENAI).rstrip("/"))
    path = parts.path.removesuffix(_ASKED_PATH)
    if path == parts.path and not _VERSION.search(path):
        path += "/v1"
    return urlunsplit(parts._replace(path=path))


def require_sdk() -> None:
    """Check that the SDK is there.

    Raises:
        InputError: it is not installed.
    """
    try:
        import openai  # noqa: F401, PLC0415
    except ImportError as error:
        raise InputError(
            "--service openai needs its extra: pip install 'abo-vqa[curator,openai]'"
        ) from error


def _connected(connection: Connection) -> AbstractAsyncContextManager[OpenAIClient]:
    return OpenAIClient.connected(
        base_url=connection.base_url,
        timeout_s=connection.timeout_s,
        forms=connection.forms,
        settings=connection.settings,
        tier=connection.tier,
        optional=OptionalFields(
            connection.further_fields, wants_logprobs=connection.wants_logprobs
        ),
    )


PROTOCOL: Final = Protocol(
    keys=OPENAI_KEYS,
    address_variable="OPENAI_BASE_URL",
    connected=_connected,
    read_reply=read_completion,
    require=require_sdk,
    image_details=(ImageDetail.LOW, ImageDetail.HIGH),
    tiers=(Tier.STANDARD, Tier.FLEX),
)
