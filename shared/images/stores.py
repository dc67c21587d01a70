"""Files behind URLs that fsspec knows: ``s3://``, ``gs://``, ``https://`` and others."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final
from urllib.parse import quote, urlsplit

from shared.errors import InputError, StoreUnreachable
from shared.files.atomic import atomic_path
from shared.files.cache import cache_folder

_PACKAGES: Final = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs"}
HUB_SCHEME: Final = "hf"
_WEB: Final = frozenset({"http", "https"})


@dataclass(frozen=True)
class Store:
    """The files below a URL; ``files`` is fsspec's file system, ``root`` the place in it."""

    files: Any
    root: str
    quotes: bool

    def place(self, name: str) -> str:
        """Return where the file system has ``name``, which is relative to the URL."""
        return f"{self.root}/{quote(name) if self.quotes else name}"

    def read(self, name: str) -> bytes:
        """Return a file's content.

        Raises:
            FileNotFoundError: the store says that there is no such file.
            StoreUnreachable: nobody knows.
        """
        try:
            content: bytes = self.files.cat_file(self.place(name))
        except FileNotFoundError:
            raise
        except Exception as error:
            raise self._unreachable(name, error) from error
        return content

    def has(self, name: str) -> bool:
        """Return whether there is such a file.

        Raises:
            StoreUnreachable: nobody knows.
        """
        try:
            return bool(self.files.exists(self.place(name)))
        except Exception as error:
            raise self._unreachable(name, error) from error

    def _unreachable(self, name: str, error: Exception) -> StoreUnreachable:
        # Each store raises what it likes.
        reason = str(error).partition("\n")[0] or type(error).__name__
        return StoreUnreachable(f"{self.place(name)}: the store does not give it ({reason})")


def is_url(location: str) -> bool:
    """Return whether ``location`` names a store rather than a path."""
    return "://" in location


def open_store(url: str) -> Store:
    """Return the files below ``url``.

    Raises:
        InputError: no such kind of store, its package is not installed, or secrets in the URL.
    """
    scheme = scheme_of(url)
    # Slow to import, and most places are folders.
    import fsspec  # noqa: PLC0415

    try:
        files, root = fsspec.core.url_to_fs(url)
    except ImportError as error:
        package = _PACKAGES.get(scheme, f"fsspec's package for {scheme}://")
        raise InputError(f"{url}: needs `pip install {package}`, on every node") from error
    except ValueError as error:
        raise InputError(f"{url}: fsspec knows no {scheme}:// store") from error
    return Store(files, str(root).rstrip("/"), quotes=scheme in _WEB)


def local_data(location: str) -> Path:
    """Return where question/answer data lie on this machine: a path as it is, a URL fetched.

    What is fetched is kept in a cache: the hub's own, or ours, where it is fetched anew each time.

    Raises:
        InputError: the store has no such file or data set folder.
        StoreUnreachable: the store does not answer.
    """
    if not is_url(location):
        return Path(location)
    # Here too: the last name alone is not opened as a store.
    scheme = scheme_of(location)
    if scheme == HUB_SCHEME:
        from shared.images.hub import hub_data  # noqa: PLC0415 (a package that few need)

        return hub_data(location)
    # pyarrow, which pictures need not.
    from shared.corpus import DATA_SUFFIXES, QA_FILE  # noqa: PLC0415

    above, _, name = location.rstrip("/").rpartition("/")
    if PurePosixPath(name).suffix.lower() not in DATA_SUFFIXES:
        above, name = location, QA_FILE
    copy = cache_folder("urls") / hashlib.sha256(above.encode()).hexdigest()[:16] / name
    try:
        content = open_store(above).read(name)
    except FileNotFoundError as error:
        raise InputError(f"--data {location}: no such file or data set folder") from error
    copy.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(copy) as part:
        part.write_bytes(content)
    return copy if name != QA_FILE else copy.parent


def local_images(location: str) -> str:
    """Return where images lie: the hub's, fetched, in a folder here; others as they are named.

    Raises:
        InputError: the hub has no such folder, or cannot be reached.
    """
    if not is_url(location) or scheme_of(location) != HUB_SCHEME:
        return location
    from shared.images.hub import hub_folder  # noqa: PLC0415 (a package that few need)

    return str(hub_folder(location))


def local_file(location: str) -> Path:
    """Return where a file lies on this machine: a path as it is, one of the hub fetched.

    Raises:
        InputError: the hub has no such file, or cannot be reached.
    """
    if not is_url(location) or scheme_of(location) != HUB_SCHEME:
        return Path(location)
    from shared.images.hub import hub_file  # noqa: PLC0415 (a package that few need)

    return hub_file(location)


def local_folder(location: str | None) -> Path | None:
    """Return a folder of images as ``local_images`` does; ``None`` where none is named.

    Raises:
        InputError: as ``local_images``, or they are behind another URL.
    """
    return None if location is None else folder_of(local_images(location))


def folder_of(images: str) -> Path:
    """Return the folder that a place of images is, where they have to be on this machine.

    Raises:
        InputError: it is a URL.
    """
    if is_url(images):
        raise InputError(
            f"{images}: images are read here from a folder; copy them to one, or mount the store"
        )
    return Path(images)


def scheme_of(url: str) -> str:
    """Return the scheme of a URL that may be kept and shown.

    Raises:
        InputError: it holds a password, or a query or fragment, which may be a signature or a key.
    """
    parts = urlsplit(url)
    # In a bucket a # is a part of the name.
    fragment = parts.fragment if parts.scheme in _WEB else ""
    if parts.username or parts.password or parts.query or fragment:
        raise InputError(
            f"{parts.scheme}://{parts.hostname}: credentials in a URL would end up in run folders; "
            "give them as the store's environment variables do"
        )
    return parts.scheme
