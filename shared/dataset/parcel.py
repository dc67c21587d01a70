"""What of a data set folder goes to a hub, and its card as it stands there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

from shared.corpus import MANIFEST_FILE, QA_FILE, read_json
from shared.dataset.card import SPLITS_FOLDER, card_on_hub
from shared.dataset.folder import CARD_FILE
from shared.errors import InputError
from shared.hub.parcel import Kind, Parcel
from shared.records import SPLITS


def dataset_parcel(folder: Path, name: str) -> Parcel:
    """Return what of a data set folder goes to the repository ``name``.

    Raises:
        InputError: it is no data set folder, or names pictures by where they lie on this machine.
    """
    if not (folder / MANIFEST_FILE).is_file():
        raise InputError(f"{folder}: no data set folder ({MANIFEST_FILE} is missing)")
    manifest = read_json(folder / MANIFEST_FILE)
    _require_relative_names(folder / QA_FILE)
    splits = [f"{SPLITS_FOLDER}/{split}.parquet" for split in SPLITS]
    names = [MANIFEST_FILE, QA_FILE, *(each for each in splits if (folder / each).is_file())]
    card = (folder / CARD_FILE).read_text(encoding="utf-8")
    return Parcel(
        Kind.DATASET,
        {CARD_FILE: card_on_hub(card, name).encode(), **{each: folder / each for each in names}},
        license_name=str(manifest.get("license") or ""),
        left_out=[*_pictures(manifest), *_others(folder, {CARD_FILE, SPLITS_FOLDER, *names})],
        stale=splits,
    )


def _require_relative_names(rows: Path) -> None:
    for name in pc.unique(pq.read_table(rows, columns=["filename"])["filename"]).to_pylist():
        if name and (PurePosixPath(name).is_absolute() or PureWindowsPath(name).drive):
            raise InputError(
                f"{rows}: names pictures by a path of this machine ({name}); nothing was sent, "
                "export with the folder above them as --images"
            )


def _pictures(manifest: Mapping[str, Any]) -> Iterator[str]:
    if not manifest.get("images_embedded"):
        yield (
            f"{manifest['images']:,} pictures, which the rows name by file; --embed-images sends "
            "them along, if their licence lets you"
        )
    elif missing := manifest.get("images_missing"):
        yield f"{missing:,} pictures that were not found"


def _others(folder: Path, ours: set[str]) -> Iterator[str]:
    for path in sorted(folder.iterdir()):
        if path.name not in ours:
            yield f"{path.name}{'/' if path.is_dir() else ''} (not of the data set)"
