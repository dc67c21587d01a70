"""What API keys look like, and what is plainly none; pure."""

from __future__ import annotations

import re
from base64 import b64decode
from enum import StrEnum
from typing import Final

_OF_GOOGLE: Final = re.compile(r"AIza[\w-]{20,}|AQ\.[\w.-]{20,}", re.ASCII)
_ENCODED: Final = re.compile(r"(?:QUl6Y|QVEu)[\w+/]+={0,2}", re.ASCII)
"""Google's keys in base64, as Kubernetes keeps them."""
_USUAL: Final = re.compile(
    r"(AIza|AQ\.|sk-|gsk_|hf_|xai-|nvapi-|r8_)\S{8,}|(?=\S*\d)(?=\S*[A-Za-z])[\w.-]{30,}", re.ASCII
)
"""What keys of the usual services look like; others are taken where nothing tells against them."""
_STANDS_FOR_A_KEY: Final = re.compile(
    r"(?i)your[\w-]*(?:key|token)|key[_-]?(?:goes[_-]?)?here|change[_-]?me|x{6,}"
)
_LITELLM_PREFIX: Final = "os.environ/"
_FILE: Final = re.compile(r"[\w.-]+\.(json|txt|toml|env|csv|ya?ml|pem)", re.IGNORECASE)


class KeyKind(StrEnum):
    """Which of Google's kinds a key is of: of API keys, by how it begins."""

    AUTH = "auth"
    """Begins with AQ., as AI Studio issues them now."""
    STANDARD = "standard"
    """Begins with AIza: the old kind, which Google takes less and less."""
    ENTERPRISE = "enterprise"
    """An account of Google Cloud, which asks with access tokens."""
    OTHER = "other"
    NONE = "none"
    """A server of one's own may want no key."""


def kind_of(secret: str) -> KeyKind:
    """Return the kind of an API key."""
    if not secret:
        return KeyKind.NONE
    if secret.startswith("AQ."):
        return KeyKind.AUTH
    return KeyKind.STANDARD if secret.startswith("AIza") else KeyKind.OTHER


def looks_like_key(text: str) -> bool:
    """Return whether ``text`` has the form of a usual service's key."""
    return _USUAL.fullmatch(text) is not None


def without_keys(message: str) -> str:
    """Return a message with whatever looks like a key in it taken out."""
    return _USUAL.sub("...", message)


def holds_googles(text: str) -> bool:
    """Return whether one of Google's keys stands somewhere in a text."""
    return _OF_GOOGLE.search(text) is not None


def is_googles(text: str) -> bool:
    """Return whether a text starts as Google's keys do, in base64 too."""
    return bool(_OF_GOOGLE.match(text) or _ENCODED.match(text))


def why_no_key(secret: str) -> str:
    """Return what tells that a text is no key; empty where nothing does."""
    reasons = (
        (not secret, "nothing stands there"),
        ("..." in secret or "**" in secret, "it is shortened"),
        (_STANDS_FOR_A_KEY.search(secret), "it stands for a key"),
        ("://" in secret, "it looks like a URL"),
        (re.match(r"[~.]{0,2}[/\\]|[A-Za-z]:[\\/]", secret), "it looks like a path"),
        (_FILE.fullmatch(secret), "it looks like the name of a file"),
        (re.search(r"\s", secret), "there is a space in it"),
        (secret.startswith("$"), "it refers to a variable; write env:NAME for that"),
        ("=" in secret.rstrip("="), "there is an = in it"),
        (holds_googles(secret[1:]), "there is more than a key"),
        (not (secret.isascii() and secret.isprintable()), "there are odd characters in it"),
        (re.search(r"[<>{}\[\]()\"'`\\*&]", secret), "there are odd characters in it"),
    )
    return next((why for holds, why in reasons if holds), "")


def plain_secret(secret: str) -> str:
    """Return a key as the service knows it, or which variable holds it."""
    if secret.startswith(_LITELLM_PREFIX):
        return f"env:{secret.removeprefix(_LITELLM_PREFIX)}"
    if not _ENCODED.fullmatch(secret):
        return secret
    try:
        decoded = b64decode(secret, validate=True).decode()
    except ValueError:
        return secret
    return decoded.strip() if looks_like_key(decoded.strip()) else secret
