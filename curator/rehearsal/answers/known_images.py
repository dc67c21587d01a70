"""The images that the server knows: their digests and miniatures, computed once and kept on disk.

The cache file is named after the bytes of all images, so it can be neither stale nor mixed up.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from curator.rehearsal.answers.miniatures import LENGTH, Miniatures, miniature_of
from shared.errors import CorruptImage, InputError
from shared.files.atomic import atomic_path
from shared.images.pixels import DECODER
from shared.program.reporting.event_log import EventLog
from shared.program.reporting.progress import ProgressReport, report_progress

# The name of the files since they were first written.
_FORMAT: Final = f"thumbnails-1-decoder-{DECODER}"
_NO_MINIATURE: Final = np.empty(0, dtype=np.uint8)
log = EventLog(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class KnownImages:
    """Images in a fixed order: file names, SHA-256 of their bytes, miniatures (row for row)."""

    filenames: tuple[str, ...]
    digests: tuple[bytes, ...]
    miniatures: Miniatures


def read_known_images(folder: Path, filenames: Sequence[str], cache: Path) -> KnownImages:
    """Read the named images below ``folder``; miniatures come from ``cache`` where it has them.

    Images that are missing or broken are left out, and counted in a warning.

    Raises:
        InputError: no such folder, or none of the images can be read.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such images folder; give --images DIR")
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        digests = dict(_digests(folder, filenames, pool))
        present = [name for name in filenames if digests[name]]
        if not present:
            raise InputError(f"{folder}: holds none of the images that the answers are about")
        indexed = _from_cache(cache, present, [digests[name] for name in present])
        if indexed is None:
            indexed = _from_files(folder, present, digests, pool)
            _keep(cache, present, digests, indexed)
    if len(indexed.filenames) < len(filenames):
        log.warning("rehearsal_images_left_out", count=len(filenames) - len(indexed.filenames))
    return indexed


def _digests(folder: Path, filenames: Sequence[str], pool: Executor) -> Iterator[tuple[str, bytes]]:
    return zip(filenames, pool.map(partial(_digest, folder), filenames), strict=True)


def _digest(folder: Path, filename: str) -> bytes:
    try:
        return hashlib.sha256((folder / filename).read_bytes()).digest()
    except OSError:
        return b""


def _from_files(
    folder: Path, filenames: Sequence[str], digests: dict[str, bytes], pool: Executor
) -> KnownImages:
    with report_progress("Indexing images", len(filenames)) as progress:
        read = partial(_miniature, folder, progress)
        rows = dict(zip(filenames, pool.map(read, filenames), strict=True))
    whole = tuple(name for name in filenames if len(rows[name]))
    if not whole:
        raise InputError(f"{folder}: none of the {len(filenames)} images can be decoded")
    return KnownImages(
        filenames=whole,
        digests=tuple(digests[name] for name in whole),
        miniatures=np.stack([rows[name] for name in whole]),
    )


def _miniature(folder: Path, progress: ProgressReport, filename: str) -> Miniatures:
    try:
        return miniature_of((folder / filename).read_bytes())
    except (CorruptImage, OSError) as error:
        log.warning("rehearsal_image_unreadable", filename=filename, reason=str(error))
        return _NO_MINIATURE
    finally:
        progress.advance()


def _cache_file(cache: Path, filenames: Sequence[str], digests: Sequence[bytes]) -> Path:
    name = hashlib.sha256(_FORMAT.encode())
    for filename, digest in zip(filenames, digests, strict=True):
        name.update(filename.encode(errors="surrogatepass") + b"\0" + digest)
    return cache / f"{_FORMAT}-{name.hexdigest()[:32]}.npz"


def _from_cache(
    cache: Path, filenames: Sequence[str], digests: Sequence[bytes]
) -> KnownImages | None:
    path = _cache_file(cache, filenames, digests)
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            rows, miniatures = file["rows"], file["thumbnails"]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        log.warning("rehearsal_cache_unreadable", path=str(path), reason=str(error))
        return None
    if miniatures.shape != (len(rows), LENGTH):
        return None
    return KnownImages(
        filenames=tuple(filenames[row] for row in rows),
        digests=tuple(digests[row] for row in rows),
        miniatures=miniatures,
    )


def _keep(
    cache: Path, filenames: Sequence[str], digests: dict[str, bytes], indexed: KnownImages
) -> None:
    path = _cache_file(cache, filenames, [digests[name] for name in filenames])
    row_of = {name: row for row, name in enumerate(filenames)}
    rows = np.array([row_of[name] for name in indexed.filenames], dtype=np.int64)
    try:
        with atomic_path(path) as part:
            np.savez(part, rows=rows, thumbnails=indexed.miniatures)
    except (InputError, OSError) as error:
        # Without the cache the next start takes seconds longer; that stops nobody.
        log.warning("rehearsal_cache_not_written", path=str(path), reason=str(error))
