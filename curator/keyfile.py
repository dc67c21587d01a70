"""Reads the pool of keys from a TOML file, a plain file or ``GEMINI_API_KEYS``."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from pydantic import Field

from curator.keys import Key, fingerprint_of
from curator.quota import Quota
from curator.variables import KEYS_VARIABLE, OPTIONAL_KEYS_VARIABLE
from shared.errors import InputError
from shared.settings import Settings, validated

_ENVIRONMENT_PREFIX: Final = "env:"
_TOML_HINT: Final = re.compile(r"^\s*\[\[\s*key\s*\]\]", re.MULTILINE)


class _KeyTable(Settings):
    label: str = ""
    project: str = ""
    api_key: str
    rpm: int | None = Field(default=None, ge=1)
    tpm: int | None = Field(default=None, ge=1)
    rpd: int | None = Field(default=None, ge=1)


class _KeysFile(Settings):
    key: list[_KeyTable] = Field(default_factory=list)


def read_keys(path: Path | None, environment: Mapping[str, str] = os.environ) -> tuple[Key, ...]:
    """Return the keys in ``path``, or those in ``GEMINI_API_KEYS`` where no path is given.

    Raises:
        InputError: no keys, an unreadable file, a secret or label that occurs twice, or keys of
            one project with different limits. No message holds a secret.
    """
    if path is None:
        source = KEYS_VARIABLE
        if not environment.get(KEYS_VARIABLE, "").strip():
            raise InputError(f"no API keys: give --keys FILE or set {KEYS_VARIABLE}")
        keys = _plain_keys(environment[KEYS_VARIABLE])
    else:
        source = str(path)
        text = _read_text(path)
        is_toml = path.suffix.lower() == ".toml" or _TOML_HINT.search(text)
        keys = _toml_keys(text, source, environment) if is_toml else _plain_keys(text)
    _check(keys, source)
    return tuple(keys)


def read_optional_keys(
    path: Path | None, environment: Mapping[str, str] = os.environ
) -> tuple[Key, ...]:
    """Return the keys for a service that may need none: those in ``path`` or ``OPENAI_API_KEY``.

    Without either, one key that is empty stands for the server on this machine.

    Raises:
        InputError: as ``read_keys``, for what is given.
    """
    if path is not None:
        return read_keys(path)
    if not environment.get(OPTIONAL_KEYS_VARIABLE, "").strip():
        return (Key("no-key", "no-project", ""),)
    return read_keys(None, {KEYS_VARIABLE: environment[OPTIONAL_KEYS_VARIABLE]})


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path}: no such keys file; give --keys FILE") from None
    except IsADirectoryError:
        raise InputError(f"{path}: is a folder; --keys wants a file") from None
    except UnicodeDecodeError:
        # The chained error would carry the file's bytes, and with them the keys.
        raise InputError(f"{path}: not a text file; write one key a line, or TOML") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error


def _plain_keys(text: str) -> list[Key]:
    lines = (line.partition("#")[0] for line in text.splitlines())
    secrets = [secret.strip() for line in lines for secret in line.split(",") if secret.strip()]
    return [
        Key(f"key-{number}", f"project-of-{fingerprint_of(secret)[:8]}", secret)
        for number, secret in enumerate(secrets, start=1)
    ]


def _toml_keys(text: str, source: str, environment: Mapping[str, str]) -> list[Key]:
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{source}: not valid TOML ({error})") from None
    try:
        file = validated(_KeysFile, tables, source=source)
    except InputError as error:
        # Its cause quotes the rejected values, which may be keys.
        raise InputError(str(error)) from None
    return [
        _toml_key(table, number, source, environment)
        for number, table in enumerate(file.key, start=1)
    ]


def _toml_key(table: _KeyTable, number: int, source: str, environment: Mapping[str, str]) -> Key:
    label = table.label or f"key-{number}"
    secret = table.api_key.strip()
    if secret.startswith(_ENVIRONMENT_PREFIX):
        variable = secret.removeprefix(_ENVIRONMENT_PREFIX)
        secret = environment.get(variable, "").strip()
        if not secret:
            raise InputError(f"{source}: key {label!r}: set the environment variable {variable}")
    if not secret:
        raise InputError(f"{source}: key {label!r}: api_key is empty")
    return Key(
        label=label,
        project=table.project or f"project-of-{fingerprint_of(secret)[:8]}",
        secret=secret,
        quota=Quota(rpm=table.rpm, tpm=table.tpm, rpd=table.rpd),
    )


def _check(keys: Sequence[Key], source: str) -> None:
    if not keys:
        raise InputError(f"{source}: holds no keys; write one key a line, or [[key]] tables")
    by_secret: dict[str, Key] = {}
    by_label: dict[str, Key] = {}
    by_project: dict[str, Key] = {}
    for key in keys:
        if not (key.secret.isascii() and key.secret.isprintable()) or " " in key.secret:
            raise InputError(f"{source}: key {key.label!r}: not an API key (odd characters in it)")
        twin = by_secret.setdefault(key.secret, key)
        if twin is not key:
            raise InputError(
                f"{source}: {twin.label!r} and {key.label!r} are the same key; remove one"
            )
        if by_label.setdefault(key.label, key) is not key:
            raise InputError(f"{source}: two keys are labelled {key.label!r}; rename one")
        if by_project.setdefault(key.project, key).quota != key.quota:
            raise InputError(
                f"{source}: keys of project {key.project!r} state different limits; "
                "they share one quota, so write the same rpm, tpm and rpd for each"
            )
