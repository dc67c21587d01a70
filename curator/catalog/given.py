"""What a user names as a catalogue and its pictures, on this machine: of the hub, it is fetched."""

from __future__ import annotations

import hashlib
from pathlib import Path

from curator.catalog.rows.columnar import holds_pictures, is_columnar
from shared.errors import InputError
from shared.files.cache import cache_folder
from shared.images.stores import HUB_SCHEME, is_url, local_folder, scheme_of

_DIGEST_LENGTH = 16


def local_catalogue(
    catalog: str, images: str | None, *, with_pictures: bool = True
) -> tuple[Path, Path | None]:
    """Return where a catalogue lies on this machine, and its pictures if not with it.

    Of the hub, pictures come with a catalogue that may name them, unless not ``with_pictures``;
    those that stand within it will be written into the cache.

    Raises:
        InputError: the hub has no such thing or cannot be reached, or it is another address.
    """
    folder = local_folder(images)
    if not is_url(catalog):
        return Path(catalog), folder
    if scheme_of(catalog) != HUB_SCHEME:
        raise InputError(
            f"{catalog}: is an address; download what is there, and give that; only "
            "hf://datasets/OWNER/NAME is fetched"
        )
    # A package that few need.
    from shared.images.hub import hub_catalogue  # noqa: PLC0415

    path = hub_catalogue(catalog, with_pictures=with_pictures and folder is None)
    if folder is None and _has_pictures_within(path):
        # The hub's cache is no place for them.
        digest = hashlib.sha256(catalog.encode()).hexdigest()[:_DIGEST_LENGTH]
        folder = cache_folder("pictures") / f"catalogue-{digest}"
        folder.mkdir(parents=True, exist_ok=True)
    return path, folder


def _has_pictures_within(path: Path) -> bool:
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    first = next(filter(is_columnar, files), None)
    return first is not None and holds_pictures(first)
