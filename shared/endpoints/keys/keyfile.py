"""Reads the pool of keys from a file or a variable: TOML, or a list of any form.

The forms of lists are ``shared.endpoints.keys.key_list``'s.
"""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import Field

from shared.endpoints.keys.asked_model import AskedModel
from shared.endpoints.keys.cloud_account import cloud_account
from shared.endpoints.keys.key import Key, assumed_project
from shared.endpoints.keys.key_form import without_keys
from shared.endpoints.keys.key_list import WAY_OUT, ListedKey, listed_keys
from shared.endpoints.keys.quota import Quota
from shared.endpoints.keys.variables import GEMINI_KEYS, KeySource
from shared.errors import InputError
from shared.program.settings import Settings, validated
from shared.program.toml_files import parsed_toml
from shared.value_class import value_class

_ENVIRONMENT_PREFIX: Final = "env:"
_TOML_HINT: Final = re.compile(r"^\s*\[\[\s*key\s*\]\]", re.MULTILINE)


class _KeyTable(Settings):
    label: str = ""
    project: str = ""
    api_key: str | None = None
    enterprise: bool = False
    location: str = ""
    credentials: str = ""
    rpm: int | None = Field(default=None, ge=1)
    tpm: int | None = Field(default=None, ge=1)
    rpd: int | None = Field(default=None, ge=1)


class _ModelTable(Settings):
    name: str = Field(min_length=1)
    rpm: int | None = Field(default=None, ge=1)
    tpm: int | None = Field(default=None, ge=1)
    rpd: int | None = Field(default=None, ge=1)


_Table = TypeVar("_Table", bound=Settings)


class _KeysFile(Settings):
    key: list[_KeyTable] = Field(default_factory=list)
    model: list[_ModelTable] = Field(default_factory=list)


@value_class
class KeyFile:
    """The keys, and the models that they are to ask where the command line names none.

    The models are in order of preference, with limits of their own.
    """

    keys: tuple[Key, ...]
    models: tuple[AskedModel, ...] = ()


def read_keys(
    path: Path | None,
    environment: Mapping[str, str] = os.environ,
    source: KeySource = GEMINI_KEYS,
) -> tuple[Key, ...]:
    """Return the keys that ``read_key_file`` reads.

    Raises:
        InputError: as there.
    """
    return read_key_file(path, environment, source).keys


def read_key_file(
    path: Path | None,
    environment: Mapping[str, str] = os.environ,
    source: KeySource = GEMINI_KEYS,
    option: str = "--keys",
) -> KeyFile:
    """Return the keys and models in ``path``, or the keys of ``source`` where no path is given.

    ``option`` is what is typed before the path.

    Raises:
        InputError: no keys, an unreadable file, something that is no key, a secret or label that
            occurs twice, keys of one project with different limits, two tables of one model, or an
            account of Google Cloud that is not told as it must be or that the service has no door
            for. No message holds a secret.
    """
    if path is not None:
        file = _keys_of_file(path, environment, source.foreign)
        for key in file.keys:
            if key.account is not None and not source.has_cloud_door:
                raise InputError(
                    f"{path}: key {key.label!r} is an account of Google Cloud; "
                    "only --service gemini takes those"
                )
        return file
    text = environment.get(source.variable, "")
    if text.strip():
        return KeyFile(_keys_of_text(text, source.variable, environment, source.foreign))
    if source.without:
        return KeyFile(source.without)
    near = next((name for name in source.near if environment.get(name, "").strip()), None)
    hint = f" ({near} is set, but not read here)" if near else ""
    raise InputError(f"no API keys: give {option} FILE or set {source.variable}{hint}")


def _keys_of_file(path: Path, environment: Mapping[str, str], foreign: Sequence[str]) -> KeyFile:
    text, source = _read_text(path), str(path)
    if path.suffix.lower() != ".toml" and not _TOML_HINT.search(text):
        return KeyFile(_keys_of_text(text, source, environment, foreign))
    return _toml_content(text, path, environment)


def _keys_of_text(
    text: str, source: str, environment: Mapping[str, str], foreign: Sequence[str]
) -> tuple[Key, ...]:
    listed = listed_keys(text, source, foreign)
    tables = [_table_of(key, source) for key in listed]
    keys = [
        _key(table, number, source, environment) for number, table in enumerate(tables, start=1)
    ]
    _check(keys, source)
    return tuple(keys)


def _table_of(key: ListedKey, source: str) -> _KeyTable:
    table = {**key.fields, "label": key.label, "api_key": key.secret}
    return _without_values(_KeyTable, table, f"{source}: line {key.line}")


def _without_values(model: type[_Table], table: Mapping[str, Any], source: str) -> _Table:
    try:
        return validated(model, table, source=source)
    except InputError as error:
        # Its cause quotes the rejected values, which may be keys, and so may be their names.
        why = str(error).removeprefix(f"{source}: ")
        raise InputError(f"{source}: {without_keys(why)}") from None


def _read_text(path: Path) -> str:
    try:
        content = path.read_bytes()
        # PowerShell writes UTF-16.
        is_wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        return content.decode("utf-16") if is_wide else _decoded(content)
    except FileNotFoundError:
        raise InputError(f"{path}: no such keys file; name one that is there") from None
    except IsADirectoryError:
        raise InputError(f"{path}: is a folder; --keys wants a file") from None
    except UnicodeDecodeError:
        # The chained error would carry the file's bytes, and with them the keys.
        raise InputError(f"{path}: not a text file; {WAY_OUT}") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        if b"\0" in content:
            raise
        # A comment in the letters of an old Windows: keys are plain ones anyhow.
        return content.decode("latin-1")


def _toml_content(text: str, path: Path, environment: Mapping[str, str]) -> KeyFile:
    source = str(path)
    file = _without_values(_KeysFile, parsed_toml(text, source), source)
    keys = [
        _account_key(table, number, path)
        if table.enterprise
        else _key(table, number, source, environment)
        for number, table in enumerate(file.key, start=1)
    ]
    _check(keys, source)
    names = [table.name for table in file.model]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"{source}: two [[model]] tables are named {name!r}; remove one")
    models = (
        AskedModel(table.name, Quota(rpm=table.rpm, tpm=table.tpm, rpd=table.rpd))
        for table in file.model
    )
    return KeyFile(tuple(keys), tuple(models))


def _key(table: _KeyTable, number: int, source: str, environment: Mapping[str, str]) -> Key:
    label = table.label or f"key-{number}"
    if table.location or table.credentials:
        raise InputError(
            f"{source}: key {label!r}: location and credentials are for accounts of Google Cloud; "
            "add enterprise = true, or leave them out"
        )
    if table.api_key is None:
        raise InputError(f"{source}: key {label!r}: give api_key, or enterprise = true")
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
        project=table.project or assumed_project(secret),
        secret=secret,
        quota=Quota(rpm=table.rpm, tpm=table.tpm, rpd=table.rpd),
    )


def _account_key(table: _KeyTable, number: int, path: Path) -> Key:
    name = table.label or f"key-{number}"
    if table.api_key is not None:
        raise InputError(
            f"{path}: key {name!r}: enterprise = true asks with an account's access tokens; "
            "leave api_key out, or enterprise"
        )
    credentials = path.parent / Path(table.credentials).expanduser() if table.credentials else None
    account = cloud_account(
        table.project.strip(), table.location.strip(), credentials, f"{path}: key {name!r}"
    )
    return Key(
        label=table.label or account.place,
        project=account.place,
        secret="",
        quota=Quota(rpm=table.rpm, tpm=table.tpm, rpd=table.rpd),
        account=account,
    )


def _check(keys: Sequence[Key], source: str) -> None:
    if not keys:
        raise InputError(f"{source}: holds no keys; {WAY_OUT}")
    by_fingerprint: dict[str, Key] = {}
    by_label: dict[str, Key] = {}
    by_project: dict[str, Key] = {}
    for key in keys:
        if not (key.secret.isascii() and key.secret.isprintable()) or " " in key.secret:
            raise InputError(f"{source}: key {key.label!r}: not an API key (odd characters in it)")
        twin = by_fingerprint.setdefault(key.fingerprint, key)
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
