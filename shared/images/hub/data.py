"""Data, pictures and catalogues at a place on the hub, fetched unless they were before."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath

from shared.corpus import DATA_SUFFIXES
from shared.hub.place import Place, place_of
from shared.images.hub.asking import (
    HubUnreachable,
    fetched,
    fetched_file,
    kept_files,
    listed_files,
    silence_of,
    unreachable,
)
from shared.images.hub.choosing import (
    COLUMNAR,
    HERE,
    TABLES,
    Wanted,
    catalogue_files,
    data_files,
    pictures,
    table_and_pictures,
)
from shared.program.reporting.event_log import EventLog

log = EventLog(__name__)


def hub_data(address: str) -> Path:
    """Return a file of rows, or a data set folder, fetched from the hub unless it was before.

    Of a folder that is no data set folder of ours its Parquet files are fetched, or else its only
    file of rows.

    Raises:
        InputError: there is no such data set, or the hub cannot be reached.
    """
    place = place_of(address)
    return _file(place) if _has_suffix(place, DATA_SUFFIXES) else _taken(place, data_files)


def hub_file(address: str) -> Path:
    """Return a single file, fetched from the hub unless it was before.

    Raises:
        InputError: there is no such file, or the hub cannot be reached.
    """
    return _file(place_of(address))


def hub_folder(address: str) -> Path:
    """Return a folder of pictures, fetched from the hub unless it was before.

    Raises:
        InputError: there is no such folder, or the hub cannot be reached.
    """
    return _taken(place_of(address), pictures)


def hub_catalogue(address: str, *, with_pictures: bool) -> Path:
    """Return a catalogue, a file or a folder, fetched from the hub unless it was before.

    Of a folder its Parquet files are fetched, or else its pictures with the tables among them, or
    else its only file of rows. ``with_pictures``: with a table that holds none come those beside
    it, which it may name.

    Raises:
        InputError: there is no such data set, or the hub cannot be reached.
    """
    place = place_of(address)
    if not _has_suffix(place, TABLES):
        return _taken(place, catalogue_files)
    if not with_pictures or _has_suffix(place, COLUMNAR):
        return _file(place)
    table = PurePosixPath(place.path)
    around = replace(place, path="" if table.parent == HERE else str(table.parent))
    return _taken(around, partial(table_and_pictures, table=PurePosixPath(table.name)))


def _has_suffix(place: Place, suffixes: Collection[str]) -> bool:
    return PurePosixPath(place.path).suffix.lower() in suffixes


def _file(place: Place) -> Path:
    silence = silence_of(place)
    try:
        if not silence:
            return fetched_file(place)
    except HubUnreachable as error:
        silence = error.reason
    return kept_files(replace(place, silence=silence), [_exactly(place.path)]) / place.path


def _taken(place: Place, choose: Callable[[str, Sequence[PurePosixPath]], Wanted]) -> Path:
    """Return what ``choose`` takes of a place's files, fetched, or kept where nobody answers."""
    if silence := silence_of(place):
        return _kept(replace(place, silence=silence), choose)
    try:
        listed = listed_files(place)
    except HubUnreachable as error:
        return _kept(replace(place, silence=error.reason), choose)
    sizes = {PurePosixPath(file.path).relative_to(place.path or "."): file.size for file in listed}
    wanted, meant = choose(place.address, list(sizes))
    _tell(place.address, [sizes[name] for name in wanted])
    return fetched(place, _patterns(place, wanted, list(sizes))) / place.path / meant


def _patterns(
    place: Place, wanted: Sequence[PurePosixPath], names: Sequence[PurePosixPath]
) -> list[str]:
    """Return what fits ``wanted`` alone, in few words: each is compared with each file."""
    all_of, some_of = (Counter(name.suffix for name in several) for several in (names, wanted))
    whole = {suffix for suffix, count in some_of.items() if suffix and all_of[suffix] == count}
    single = [str(PurePosixPath(place.path, name)) for name in wanted if name.suffix not in whole]
    above = f"{_exactly(place.path)}/" if place.path else ""
    return [*map(_exactly, single), *(f"{above}*{suffix}" for suffix in sorted(whole))]


def _exactly(path: str) -> str:
    """Return the pattern that fits ``path`` alone."""
    return re.sub(r"([*?\[])", r"[\1]", path)


def _kept(place: Place, choose: Callable[[str, Sequence[PurePosixPath]], Wanted]) -> Path:
    """Return what the cache has whole of a place, where the hub cannot be asked."""
    root = kept_files(place, ["-"])
    folder = root / place.path
    below = [PurePosixPath(path.relative_to(folder)) for path in folder.rglob("*.*")]
    if not below:
        raise unreachable(place)
    wanted, meant = choose(place.address, below)
    places = {(str(PurePosixPath(place.path, name.parent)), name.suffix) for name in wanted}
    kinds = [f"{_exactly(folder)}/*{suffix}".removeprefix("./") for folder, suffix in places]
    return kept_files(place, sorted(kinds)) / place.path / meant


def _tell(address: str, sizes: Sequence[int]) -> None:
    log.info("data_of_the_hub", data=address, files=len(sizes), mib=round(sum(sizes) / 2**20, 1))
