"""Makes a data set folder of a file of pairs, such as an export that was edited by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from shared.corpus import (
    DATA_SUFFIXES,
    QA_FILE,
    ColumnNames,
    read_whole_pairs,
    say_left_out,
)
from shared.dataset.check import leak_text, leaks_among
from shared.dataset.folder import write_dataset
from shared.dataset.opening import opened_data
from shared.dataset.splits import RULE, split_units
from shared.dataset.units import units_of
from shared.errors import InputError
from shared.files.digests import file_digest
from shared.images.fingerprints import looks_in
from shared.images.likeness import Look
from shared.images.names import is_file_below, with_file_names
from shared.program.reporting.event_log import EventLog
from shared.records import QAPair

SPLIT_SEED: Final = 0
"""That of exports: the same images come into the same splits."""
log = EventLog(__name__)


def dataset_from_file(
    data: str,
    images: str | None,
    folder: Path,
    *,
    columns: ColumnNames,
    license_name: str,
    embeds: bool,
) -> int:
    """Write the pairs of ``data`` as a data set folder; return how many.

    A column of splits is kept as it is, and leaks in it are told. Without one, products and
    near-identical images are divided as exports divide them. Ids, names of images and further
    columns are kept.

    Raises:
        InputError: the data or their images cannot be used, or only some rows have a split.
    """
    if folder.suffix.lower() in DATA_SUFFIXES:
        raise InputError(f"{folder}: is no folder's name; give --out without a suffix")
    opened = opened_data(data, images)
    images_dir = opened.folder
    table, extra = read_whole_pairs(opened.rows, columns)
    say_left_out(opened.rows, table.left_out)
    pairs = with_file_names(table.pairs, images_dir, data)
    _say_repeated(pairs)
    _require_images(pairs, images_dir)
    looks = looks_in(images_dir, dict.fromkeys(pair.filename for pair in pairs))
    own = _has_splits(pairs, data)
    placed = _with_units(pairs, looks, own_splits=own)
    # Rows of an image together: it is stored once.
    place = {name: number for number, name in enumerate(dict.fromkeys(p.filename for p in pairs))}
    rows_file = opened.rows / QA_FILE if opened.rows.is_dir() else opened.rows
    rule = {"rule": "the data's own"} if own else {**RULE, "seed": SPLIT_SEED}
    return write_dataset(
        sorted(placed, key=lambda pair: place[pair.filename]),
        folder,
        source={
            "program": "curator dataset",
            "file": rows_file.name,
            "sha256": file_digest(rows_file),
            "rows_left_out": len(table.left_out),
        },
        split_rule={**rule, "unit": "product, look-alikes together"},
        embed_from=images_dir if embeds else None,
        extra=extra,
        license_name=license_name,
    )


def _say_repeated(pairs: Sequence[QAPair]) -> None:
    """Say how many rows say what another one says, as where rows were pasted twice."""
    said = Counter((pair.filename, pair.question, pair.answer) for pair in pairs)
    repeated = len(pairs) - len(said)
    if repeated:
        first = next(" | ".join(each) for each, count in said.items() if count > 1)
        log.warning("rows_say_the_same_again", rows=repeated, first=first)


def _require_images(pairs: Sequence[QAPair], images_dir: Path) -> None:
    missing = [
        name
        for name in dict.fromkeys(pair.filename for pair in pairs)
        if not is_file_below(images_dir, name)
    ]
    if missing:
        raise InputError(
            f"{images_dir}: {len(missing):,} of the images are not there, such as {missing[0]}; "
            "remove their rows, or mend their names"
        )


def _has_splits(pairs: Sequence[QAPair], data: str) -> bool:
    without = sum(pair.split is None for pair in pairs)
    if 0 < without < len(pairs):
        raise InputError(
            f"{data}: {without:,} of {len(pairs):,} rows have no split; fill the column, or give "
            "--columns split= to divide all anew"
        )
    return not without


def _with_units(
    pairs: Sequence[QAPair], looks: dict[str, Look], *, own_splits: bool
) -> list[QAPair]:
    """Return pairs with their units and splits; training ones only if people found them right."""
    if own_splits:
        leaks = leaks_among(pairs, looks)
        if leaks:
            log.warning("splits_leak", found=leak_text(leaks), otherwise="--columns split=")
    # An old unit is none of what the rows say now.
    units = units_of([replace(pair, unit_id="") for pair in pairs], looks)
    splits = {} if own_splits else split_units(units, seed=SPLIT_SEED)
    placed = [
        replace(
            pair,
            unit_id=units[pair.filename],
            split=pair.split if own_splits else splits[pair.filename],
        )
        for pair in pairs
    ]
    fit = [pair for pair in placed if pair.has_right_answer or pair.split != "train"]
    if len(fit) < len(placed):
        log.warning(
            "rows_left_out",
            reason="without a right answer, which would be trained on",
            rows=len(placed) - len(fit),
        )
    return fit
