"""What answers requests: the interface behind which Gemini and every other service stand."""

from __future__ import annotations

import os
import typing
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import field
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from shared.endpoints.keys.key import Key
from shared.endpoints.keys.variables import KeySource
from shared.endpoints.models.asked_settings import ImageDetail, ModelSettings
from shared.endpoints.models.model_status import NO_STATUS, ModelStatus
from shared.endpoints.models.tier import Tier
from shared.endpoints.refusals.refusal import BadRequest, FormNotTaken, Refusal, SettingNotTaken
from shared.endpoints.request import Request
from shared.errors import InputError
from shared.program.reporting.secret_mask import SecretMask
from shared.value_class import value_class
from shared.web.loopback import is_loopback

FINISHED: Final = "STOP"
"""The ending of a reply that says all the model wanted to say."""
PROMPT_BLOCKED: Final = "PROMPT_BLOCKED_"
"""Stands before the reason where the request itself was blocked and nothing was generated."""
LONGEST_ENDING: Final = 60
LONGEST_MODEL: Final = 200
DEFAULT_TIMEOUT_S: Final = 120.0
"""Longest wait for a reply."""
FLEX_TIMEOUT_S: Final = 900.0
"""The same at a tier that is served when there is room."""


_TIERS: Final = {tier.value: tier for tier in Tier}


class AskedForm(StrEnum):
    """How strictly a reply's form is asked for, strictest first."""

    SCHEMA = "json_schema"
    OBJECT = "json_object"
    PLAIN = "text"


NO_FORMS: Final[Mapping[str, AskedForm]] = MappingProxyType({})


@value_class
class Reply:
    """What a successful request brought: the body as received and what of it matters.

    ``text`` is empty where nothing was generated. ``ending`` is Gemini's finish reason, also where
    another service has its own word for it; ``PROMPT_BLOCKED`` and the block reason where the
    prompt was blocked; empty where there is no candidate. Tokens are as the server counted them;
    ``cached_tokens`` and ``image_tokens`` are those of the input that it had kept from before, and
    those of its images, 0 where it does not say.
    ``model`` is what the server calls the model that answered; empty where it names none.
    ``status`` is what it tells of the life of the model that was asked, and ``tier`` the one at
    which it says that it was served; ``None`` where it does not. ``log_probability`` is that of
    ``text`` under the model, ``None`` where it was not asked for or is not told.
    """

    body: str
    text: str
    ending: str
    input_tokens: int
    output_tokens: int
    thought_tokens: int
    model: str = ""
    status: ModelStatus = NO_STATUS
    cached_tokens: int = 0
    image_tokens: int = 0
    tier: Tier | None = None
    log_probability: float | None = None


class Annotator(typing.Protocol):
    """Asks with whatever key and whichever model each request brings."""

    async def generate(self, request: Request, key: Key, model: str) -> Reply:
        """Ask ``model`` one request with ``key``, once.

        Raises:
            Refusal: whatever came instead of a reply; see ``shared.endpoints.refusals.refusal``.
        """

    async def look_up(self, key: Key, model: str) -> ModelStatus:
        """Ask once whether ``key`` may use ``model``, which costs no quota.

        Raises:
            Refusal: it may not, or there was no answer; see ``shared.endpoints.refusals.refusal``.
        """


@value_class
class Connection:
    """How a run asks: where, for how long at most, and over how many connections.

    ``base_url`` is empty for the service's own address. ``forms`` are those that models are
    known to take, by name; all others are asked in the strictest. ``settings`` say to each model,
    by name, how to think and to look, and change where one refuses; ``tier`` is the one that all
    are asked at. Secrets that come up on the way are registered with ``mask``. ``further_fields``
    go into the body of each request; ``wants_logprobs`` asks for the probability of replies. Not
    every service has a place for them.
    """

    base_url: str | None
    timeout_s: float
    connections: int
    forms: Mapping[str, AskedForm] = field(default_factory=dict)
    settings: MutableMapping[str, ModelSettings] = field(default_factory=dict)
    tier: Tier = Tier.STANDARD
    mask: SecretMask = field(default_factory=SecretMask, repr=False)
    further_fields: Mapping[str, Any] = field(default_factory=dict)
    wants_logprobs: bool = False


@value_class
class Protocol:
    """All that the rest of the curator has to know of a service's protocol.

    ``address_variable`` is where the service's own library looks for an address.
    ``has_listed_models`` says that its models are those of the catalogue of models, which names one
    to ask where the user names none. ``look_is_final`` says that a model which a look at it refuses
    would refuse requests as well. ``model_name`` gives the name that the service has for a model.
    ``require`` raises ``InputError`` where a package is missing, and ``require_credentials`` where
    what keys only name is. ``read_reply`` reads a successful reply's body. ``image_details`` and
    ``tiers`` are those that it has a word for.
    """

    keys: KeySource
    address_variable: str
    connected: Callable[[Connection], AbstractAsyncContextManager[Annotator]]
    read_reply: Callable[[str], Reply]
    has_listed_models: bool = False
    look_is_final: bool = False
    model_name: Callable[[str], str] = str
    require: Callable[[], None] = lambda: None
    require_credentials: Callable[[Iterable[Key]], None] = lambda _: None
    image_details: Sequence[ImageDetail] = tuple(ImageDetail)
    tiers: Sequence[Tier] = (Tier.STANDARD,)


def ask_without(
    settings: MutableMapping[str, ModelSettings],
    model: str,
    sent: ModelSettings,
    form: AskedForm,
    refusal: SettingNotTaken,
) -> Refusal:
    """Ask ``model`` for a setting no more; return what that means for the request that was sent.

    ``settings`` are those of all models, and change.
    """
    value = getattr(sent.asked, refusal.setting)
    if not value:
        return BadRequest(refusal.reason)
    left_out = f"{refusal.setting}={value}"
    settings[model] = settings.get(model, sent).without(left_out)
    return FormNotTaken(refusal.reason, form, left_out)


def ending_of(word: object) -> str:
    """Return a server's word for how a reply ended, fit for logs and the ledger."""
    return _without_signs(str(word or ""))


# Few words are in use, and each reply brings some.
@lru_cache(maxsize=64)
def _without_signs(word: str) -> str:
    return "".join(letter for letter in word if letter.isalnum() or letter == "_")[:LONGEST_ENDING]


def model_of(word: object) -> str:
    """Return a server's name for the model that answered, fit for logs and the ledger."""
    return _in_one_line(word) if isinstance(word, str) else ""


@lru_cache(maxsize=64)
def _in_one_line(name: str) -> str:
    return " ".join(name.split()).encode(errors="replace").decode()[:LONGEST_MODEL]


def tier_of(word: object) -> Tier | None:
    """Return the tier that a server says it served a request at; ``None`` for none of ours."""
    return _TIERS.get(str(word or "").lower())


def check_base_url(base_url: str | None, option: str = "--endpoint") -> str:
    """Return the host in ``base_url``, empty for the service's own.

    Raises:
        InputError: not an HTTP address.
    """
    if base_url is None:
        return ""
    try:
        parts = urlsplit(base_url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise InputError(f"{option} {base_url!r}: not an address ({error})") from error
    if parts.scheme not in {"http", "https"} or not host:
        raise InputError(f"{option} {base_url!r}: give something like http://127.0.0.1:8080")
    if parts.query or parts.fragment:
        # It is not repeated whole: what follows may be a key, what stands before the host a word.
        before = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
        raise InputError(f"{option} {before!r}: give it so, without the ? or # and what follows")
    return host


def require_stated_address(
    variable: str,
    base_url: str | None,
    environment: Mapping[str, str] = os.environ,
    option: str = "--endpoint",
) -> None:
    """Check that ``variable`` does not say where requests are to go, and the command line nothing.

    The services' own libraries look there for an address; here, only ``option`` counts.

    Raises:
        InputError: it does; a key is not to go elsewhere than either side thinks.
    """
    if base_url is None and environment.get(variable):
        raise InputError(f"{variable} is set: give {option} ADDRESS, or unset the variable")


def proxy_for(url: str) -> str | None:
    """Return the proxy that the environment names for ``url``, if any.

    Whoever trusted the environment as a whole would also send what a ``.netrc`` holds.
    """
    # It brings http, ssl and email along, for which --help need not wait.
    from urllib.request import getproxies, proxy_bypass  # noqa: PLC0415

    parts = urlsplit(url)
    host = parts.hostname or ""
    # A proxy cannot reach a server on this machine.
    if is_loopback(host) or proxy_bypass(host):
        return None
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    return proxy if proxy is None or "://" in proxy else f"http://{proxy}"
