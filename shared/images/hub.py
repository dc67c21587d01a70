"""Data sets of the Hugging Face hub, as `hf://datasets/OWNER/NAME[@REVISION][/PATH]`.

What is fetched stays in the hub's own cache, by its own rules: `HF_ENDPOINT`, `HF_TOKEN`,
`HF_HOME` and `HF_HUB_OFFLINE` mean what they mean to `huggingface_hub`.
"""

from __future__ import annotations

import re
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies

from shared.corpus import DATA_SUFFIXES, MANIFEST_FILE, QA_FILE
from shared.corpus.unpacking import IMAGES_FOLDER, folder_of_parquet
from shared.errors import InputError
from shared.images.formats import is_picture
from shared.program.reporting.event_log import EventLog

if TYPE_CHECKING:
    from huggingface_hub import RepoFile

_ADDRESS: Final = re.compile(
    r"hf://datasets/(?P<name>[\w.-]+/[\w.-]+)(?:@(?P<revision>[^/]+))?(?:/(?P<path>.*))?"
)
_CONVERTED: Final = {"~parquet": "refs/convert/parquet"}
"""The hub's own Parquet of any data set, as its file system calls it."""
_PATIENCE_S: Final = 10.0
_CLIENTS: Final = ("http", "requests", "urllib3")
"""How the names of packages begin with which releases of `huggingface_hub` ask the hub."""
log = EventLog(__name__)


@dataclass(frozen=True)
class _Place:
    """A place in a data set of the hub; ``path`` is "" for all of it."""

    address: str
    name: str
    revision: str | None
    path: str


def hub_data(address: str) -> Path:
    """Return a file of rows, or a data set folder, fetched from the hub unless it was before.

    Of a folder that is no data set folder of ours its Parquet files are fetched, or else its only
    file of rows.

    Raises:
        InputError: there is no such data set, or the hub cannot be reached.
    """
    place = _place(address)
    if PurePosixPath(place.path).suffix.lower() in DATA_SUFFIXES:
        take = _fetched if _is_reachable(place) else _kept_files
        return take(place, [place.path]) / place.path
    names = _listed(place)
    if names is None:
        return _kept(place)
    below = [PurePosixPath(name.path).relative_to(place.path or ".") for name in names]
    wanted, file = _wanted(address, below)
    sizes = {name.path: name.size for name in names}
    paths = [str(PurePosixPath(place.path, name)) for name in wanted]
    _tell(address, [sizes[path] for path in paths])
    return _fetched(place, paths) / place.path / file


def hub_folder(address: str) -> Path:
    """Return a folder of pictures, fetched from the hub unless it was before.

    Raises:
        InputError: there is no such folder, or the hub cannot be reached.
    """
    place = _place(address)
    names = _listed(place)
    if names is None:
        return _kept_files(place, [f"{place.path}/*" if place.path else "*"]) / place.path
    pictures = [name for name in names if is_picture(PurePosixPath(name.path))]
    if not pictures:
        raise InputError(f"{address}: holds no pictures")
    _tell(address, [name.size for name in pictures])
    return _fetched(place, [name.path for name in pictures]) / place.path


def _place(address: str) -> _Place:
    found = _ADDRESS.fullmatch(address.rstrip("/"))
    if found is None:
        raise InputError(f"{address}: write hf://datasets/OWNER/NAME, with /FILE or /FOLDER")
    revision = found["revision"] and unquote(found["revision"])
    return _Place(
        address, found["name"], _CONVERTED.get(revision or "", revision), found["path"] or ""
    )


def _wanted(
    address: str, names: Sequence[PurePosixPath]
) -> tuple[Sequence[PurePosixPath], PurePosixPath]:
    """Return the files to fetch, and what of them is the data: a file, or "." for the folder."""
    here = PurePosixPath()
    if PurePosixPath(QA_FILE) in names:
        ours = {QA_FILE, MANIFEST_FILE}
        inside = {IMAGES_FOLDER, "data"}
        return [name for name in names if str(name) in ours or name.parts[0] in inside], here
    if any(name.suffix == ".parquet" for name in names):
        folder = folder_of_parquet(address, names)
        return [
            name for name in names if name.parent == folder and name.suffix == ".parquet"
        ], folder
    rows = [name for name in names if name.suffix.lower() in DATA_SUFFIXES]
    if len(rows) != 1:
        listed = ", ".join(map(str, rows[:4])) or "none"
        raise InputError(
            f"{address}: one file of rows was expected there; there are: {listed}; give one as "
            f"{address.rstrip('/')}/FILE, or @~parquet behind its name for the hub's own Parquet"
        )
    return rows, rows[0]


def _tell(address: str, sizes: Sequence[int]) -> None:
    log.info("data_of_the_hub", data=address, files=len(sizes), mib=round(sum(sizes) / 2**20, 1))


def _listed(place: _Place) -> Sequence[RepoFile] | None:
    """Return the files below a place; ``None`` where the hub cannot be asked.

    Raises:
        InputError: the hub has no such place.
    """
    if not _is_reachable(place):
        return None
    from huggingface_hub import HfApi, RepoFile  # noqa: PLC0415

    try:
        with _errors(place):
            entries = HfApi().list_repo_tree(
                place.name,
                place.path or None,
                recursive=True,
                revision=place.revision,
                repo_type="dataset",
            )
            return [entry for entry in entries if isinstance(entry, RepoFile)]
    except _HubUnreachable:
        return None


def _is_reachable(place: _Place) -> bool:
    """Return whether anything answers where the hub is: its package asks for half a minute."""
    with _errors(place):
        from huggingface_hub import constants, is_offline_mode  # noqa: PLC0415
    if is_offline_mode():
        return False
    hub = urlsplit(constants.ENDPOINT)
    if getproxies().get(hub.scheme):
        return True
    try:
        port = hub.port or (443 if hub.scheme == "https" else 80)
        socket.create_connection((hub.hostname or "", port), timeout=_PATIENCE_S).close()
    except OSError:
        return False
    return True


def _fetched(place: _Place, paths: Sequence[str]) -> Path:
    """Return the folder of a data set's files here, once it holds ``paths``."""
    from huggingface_hub import hf_hub_download, snapshot_download  # noqa: PLC0415

    with _errors(place), _bars_on_terminals():
        if len(paths) == 1:
            file = hf_hub_download(
                place.name, paths[0], repo_type="dataset", revision=place.revision
            )
            return Path(file.removesuffix(paths[0]))
        folder = snapshot_download(
            place.name,
            repo_type="dataset",
            revision=place.revision,
            allow_patterns=[re.sub(r"([*?\[])", r"[\1]", path) for path in paths],
        )
        return Path(folder)


def _kept(place: _Place) -> Path:
    """Return what the cache has whole of a place, where the hub cannot be asked."""
    root = _kept_files(place, ["-"])
    folder = root / place.path
    below = [PurePosixPath(path.relative_to(folder)) for path in folder.rglob("*.*")]
    if not below:
        raise _unreachable(place)
    wanted, file = _wanted(place.address, below)
    kinds = {str(PurePosixPath(place.path, name.parent, f"*{name.suffix}")) for name in wanted}
    return _kept_files(place, sorted(kinds)) / place.path / file


def _kept_files(place: _Place, patterns: Sequence[str]) -> Path:
    """Return the folder of a data set's files here, if all of ``patterns`` are in it."""
    from huggingface_hub import snapshot_download  # noqa: PLC0415

    with _errors(place):
        folder = snapshot_download(
            place.name,
            repo_type="dataset",
            revision=place.revision,
            allow_patterns=list(patterns),
            local_files_only=True,
        )
    return Path(folder)


class _HubUnreachable(InputError):
    """The hub does not answer, or is not to be asked."""


def _unreachable(place: _Place, reason: str = "") -> _HubUnreachable:
    because = f" ({reason})" if reason else ""
    return _HubUnreachable(
        f"{place.address}: the hub cannot be reached{because} and its cache on this machine does "
        "not hold it; fetch it where there is a network, or give a path"
    )


@contextmanager
def _errors(place: _Place) -> Iterator[None]:
    """Say in one line why something cannot be had of the hub."""
    try:
        from huggingface_hub import errors  # noqa: PLC0415
    except ImportError as error:
        raise InputError(f"{place.address}: needs `pip install 'abo-vqa[hub]'`") from error
    try:
        yield
    except (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled) as error:
        raise _unreachable(place) from error
    except errors.GatedRepoError as error:
        raise InputError(
            f"{place.address}: its owner asks for consent; give it on the data set's page, and "
            "say who you are with HF_TOKEN"
        ) from error
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError) as error:
        raise InputError(
            f"{place.address}: the hub has no such data set or revision; a private one needs "
            "HF_TOKEN"
        ) from error
    except errors.EntryNotFoundError as error:
        raise InputError(f"{place.address}: the data set has no such file or folder") from error
    except errors.HfHubHTTPError as error:
        raise _unreachable(place, _first_line(error)) from error
    except (OSError, RuntimeError) as error:
        raise _unreachable(place, _first_line(error)) from error
    except Exception as error:
        # What its client of HTTP raises is not its own.
        if not type(error).__module__.startswith(_CLIENTS):
            raise
        raise _unreachable(place, _first_line(error)) from error


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__


@contextmanager
def _bars_on_terminals() -> Iterator[None]:
    """Let the hub draw its bars where they are seen."""
    from huggingface_hub.utils.tqdm import (  # noqa: PLC0415
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )

    quiet = not sys.stderr.isatty() and not are_progress_bars_disabled()
    if quiet:
        disable_progress_bars()
    try:
        yield
    finally:
        if quiet:
            enable_progress_bars()
