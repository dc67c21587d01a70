"""Sends a parcel: the repository is looked at, made where it is missing, and changed in one commit.

Large files go first, and the hub keeps those of a push that was cut off; nothing of it is to be
seen before the commit, which has all files or none.
"""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from shared.errors import InputError
from shared.hub.library import bars_on_terminals, log_once
from shared.hub.parcel import CARD_FILE, Kind, Parcel
from shared.hub.refusals import no_token, refusals
from shared.value_class import value_class

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

_NAME: Final = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_TAKEN: Final = 409
_HUBS_OWN: Final = frozenset({".gitattributes", ".gitignore"})


@value_class
class Repository:
    """A repository as it is before a push, or is to be; ``commit`` is its newest, "" for none."""

    kind: Kind
    name: str
    is_there: bool = False
    commit: str = ""
    private: bool = False
    files: frozenset[str] = frozenset()

    @property
    def url(self) -> str:
        """Return the address of its page, without anybody's password."""
        from huggingface_hub import constants  # noqa: PLC0415

        parts = urlsplit(constants.ENDPOINT)
        host = parts.netloc.rpartition("@")[2]
        inside = "datasets/" if self.kind is Kind.DATASET else ""
        return f"{parts.scheme}://{host}{parts.path}/{inside}{self.name}"


@value_class
class Sent:
    """What became of a push: the repository's newest commit, and whether this push made it."""

    url: str
    commit: str
    is_new: bool


def require_name(name: str) -> None:
    """Check that a name is a repository's.

    Raises:
        InputError: it is no OWNER/NAME, or HF_ENDPOINT names no hub.
    """
    if not _NAME.fullmatch(name):
        raise InputError(f"{name or repr(name)}: write OWNER/NAME, such as me/shoes-vqa")
    with refusals(name):
        from huggingface_hub import constants  # noqa: PLC0415
        from huggingface_hub.errors import HFValidationError  # noqa: PLC0415
        from huggingface_hub.utils import (  # type: ignore[attr-defined]  # noqa: PLC0415
            validate_repo_id,
        )

        try:
            validate_repo_id(name)
        except HFValidationError as error:
            raise InputError(f"{name}: {str(error).splitlines()[0]}; write OWNER/NAME") from error
    if not _is_address(constants.ENDPOINT):
        raise InputError(f"{name}: HF_ENDPOINT is no address; write https://HOST, or unset it")


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return False
    has_host = bool(parts.hostname) and not re.search(r"\s", text)
    return parts.scheme in {"http", "https"} and has_host


def found_token(name: str) -> str:
    """Return the token of whoever pushes.

    Raises:
        InputError: there is none.
    """
    with refusals(name):
        from huggingface_hub import get_token, is_offline_mode  # noqa: PLC0415

        require_name(name)
        if is_offline_mode():
            raise InputError(f"{name}: HF_HUB_OFFLINE is set; unset it to push")
        token = get_token()
    if not token:
        raise no_token(name)
    return token


def look_at(kind: Kind, name: str) -> Repository:
    """Return a repository as it is now.

    Raises:
        InputError: the hub does not say.
        StoppedForNow: it does not answer.
    """
    with refusals(name):
        from huggingface_hub import HfApi, constants, errors  # noqa: PLC0415

        log_once()
        try:
            info = HfApi().repo_info(
                name, repo_type=kind.value, timeout=constants.HF_HUB_ETAG_TIMEOUT
            )
        except errors.GatedRepoError:
            raise
        except errors.RepositoryNotFoundError:
            return Repository(kind, name)
    files = frozenset(entry.rfilename for entry in getattr(info, "siblings", None) or ())
    return Repository(kind, name, True, info.sha or "", bool(info.private), files)


def require_there(kind: Kind, name: str) -> Repository:
    """Return a repository that has to be there.

    Raises:
        InputError: the hub has none, or does not say.
        StoppedForNow: it does not answer.
    """
    repository = look_at(kind, name)
    if not repository.is_there:
        raise InputError(
            f"{name}: the hub has no such {kind}, or none that this token may see; `trainer push` "
            "makes one"
        )
    return repository


def card_of(repository: Repository) -> str:
    """Return a repository's card as it was when it was looked at; "" where it has none.

    Raises:
        InputError: the hub does not give it.
        StoppedForNow: it does not answer.
    """
    if CARD_FILE not in repository.files:
        return ""
    with refusals(repository.name), bars_on_terminals():
        from huggingface_hub import HfApi  # noqa: PLC0415

        path = HfApi().hf_hub_download(
            repository.name,
            CARD_FILE,
            repo_type=repository.kind.value,
            revision=repository.commit,
        )
        return Path(path).read_text(encoding="utf-8")


def require_fitting(parcel: Parcel, repository: Repository, *, private: bool, agreed: bool) -> None:
    """Check that a repository that is there is the one that is meant.

    Raises:
        InputError: it is public and ``private`` was asked for, or has files of another kind and
            nobody has ``agreed`` to that.
    """
    if not repository.is_there:
        return
    if private and not repository.private:
        raise InputError(
            f"{repository.name}: is there and public, and --private is for new ones; make it "
            f"private at {repository.url}/settings, or leave --private out"
        )
    ours = {*parcel.files, *parcel.stale, *parcel.kept, *_HUBS_OWN}
    others = sorted(repository.files - ours)
    if others and CARD_FILE in repository.files and not agreed:
        shown = ", ".join(others[:3]) + (", ..." if len(others) > 3 else "")  # noqa: PLR2004
        raise InputError(
            f"{repository.name}: is there with other files ({shown}); --yes writes beside them, "
            "and puts this card in the place of theirs"
        )


def send(parcel: Parcel, repository: Repository, *, message: str, private: bool) -> Sent:
    """Make the repository where it is missing, and send a parcel in one commit.

    Raises:
        InputError: account, name or files will not do.
        StoppedForNow: the hub does not answer, or is busy; the same command goes on.
    """
    name, kind = repository.name, repository.kind.value
    made = not repository.is_there
    with refusals(name):
        from huggingface_hub import HfApi  # noqa: PLC0415

        log_once()
        api = HfApi()
        if made:
            _make(api, repository, private=private)
    with refusals(name, made=made), bars_on_terminals(), _only_our_words():
        before = _head(api, repository) if made else repository.commit
        after = api.create_commit(
            name,
            _operations(parcel, repository),
            commit_message=message,
            repo_type=kind,
            parent_commit=before or None,
        )
    return Sent(repository.url, after.oid, is_new=after.oid != before)


def _make(api: HfApi, repository: Repository, *, private: bool) -> None:
    from huggingface_hub.errors import HfHubHTTPError  # noqa: PLC0415

    try:
        api.create_repo(repository.name, repo_type=repository.kind.value, private=private or None)
    except HfHubHTTPError as error:
        if error.response.status_code != _TAKEN:
            raise
        raise InputError(
            f"{repository.name}: is there, and this token may not see it; give one that may, or "
            "another name"
        ) from error


def _head(api: HfApi, repository: Repository) -> str:
    return api.repo_info(repository.name, repo_type=repository.kind.value).sha or ""


def _operations(
    parcel: Parcel, repository: Repository
) -> Sequence[CommitOperationAdd | CommitOperationDelete]:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete  # noqa: PLC0415

    gone = [each for each in parcel.stale if each in repository.files - parcel.files.keys()]
    return [
        *(CommitOperationDelete(each) for each in gone),
        *(CommitOperationAdd(each, content) for each, content in parcel.files.items()),
    ]


@contextmanager
def _only_our_words() -> Iterator[None]:
    """Keep the hub's package from telling what is told here: that nothing is new, and Parquet."""
    logger = logging.getLogger("huggingface_hub.hf_api")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
