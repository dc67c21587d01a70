"""Writes a data set folder: the pairs, their splits as files, a card and a manifest.

``qa.parquet`` is the data set. ``data/SPLIT.parquet`` holds the same rows split by split, with the
images in them where they are wanted, and ``README.md`` names these files, so that
``datasets.load_dataset(FOLDER)`` gives the splits. Both are derived and never read back here.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

import pyarrow as pa
import pyarrow.parquet as pq

from shared.corpus import (
    ARROW_NAMES,
    MANIFEST_FILE,
    PAIR_SCHEMA,
    QA_FILE,
    WRITE_BATCH,
    PairsDigest,
    pair_table,
    with_extra,
    write_json,
)
from shared.dataset.agreement_rate import AgreementRate
from shared.dataset.card import SPLITS_FOLDER, card_text
from shared.files.atomic import refilled_folder
from shared.files.digests import file_digest
from shared.records import SPLITS, QAPair
from shared.records.column_kinds import NO_EXTRA, ExtraColumns
from shared.records.pair_rows import PairRow, pair_row

CARD_FILE: Final = "README.md"
IMAGE_BATCH: Final = 1_000
"""Rows in a row group that holds images; an image in it is stored once, whatever its rows."""
_LARGEST_DICTIONARY: Final = 1 << 30
_IMAGE: Final = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
_TEXT: Final = {"dtype": "string", "_type": "Value"}
_NUMBERS: Final = {"feature": {"dtype": "float64", "_type": "Value"}, "_type": "Sequence"}
_BOXES: Final = {"feature": _NUMBERS, "_type": "Sequence"}
"""As `datasets` calls them; versions before 4.0 know no ``List``."""


def write_dataset(
    pairs: Iterable[QAPair],
    folder: Path,
    *,
    source: Mapping[str, object],
    split_rule: Mapping[str, object],
    embed_from: Path | None = None,
    extra: ExtraColumns = NO_EXTRA,
    license_name: str = "",
) -> int:
    """Write ``pairs`` as a data set folder, whole or not at all; return how many.

    Pairs pass by one at a time. With ``embed_from``, the images folder, the split files hold the
    images' bytes. ``extra`` are columns beyond those that every data set has, and
    ``license_name`` stands on the card. A folder that is there keeps what else lies in it.

    Raises:
        InputError: ``folder`` is a file or cannot be written.
    """
    stale = [f"{SPLITS_FOLDER}/{split}.parquet" for split in SPLITS]
    with refilled_folder(folder, last=MANIFEST_FILE, stale=stale) as part:
        facts = _write_files(pairs, part, embed_from, extra)
        manifest = {
            "format": 2,
            **_told_of(extra),
            **({"license": license_name} if license_name else {}),
            **facts.described(),
            "file_sha256": file_digest(part / QA_FILE),
            "split_files_sha256": {
                f"{SPLITS_FOLDER}/{path.name}": file_digest(path)
                for path in sorted((part / SPLITS_FOLDER).iterdir())
            },
            "images_embedded": embed_from is not None,
            "split_rule": dict(split_rule),
            "source": dict(source),
        }
        write_json(manifest, part / MANIFEST_FILE)
        (part / CARD_FILE).write_text(card_text(manifest), encoding="utf-8")
    return facts.pairs


@dataclass
class _Facts:
    """What is counted while the pairs pass by."""

    pairs: int = 0
    splits: Counter[str] = field(default_factory=Counter)
    images: dict[str, set[str]] = field(default_factory=dict)
    units: dict[str, set[str]] = field(default_factory=dict)
    agreements: Counter[str] = field(default_factory=Counter)
    models: Counter[str] = field(default_factory=Counter)
    styles: Counter[object] = field(default_factory=Counter)
    digest: PairsDigest = field(default_factory=PairsDigest)
    opinions: AgreementRate = field(default_factory=AgreementRate)
    missing_images: int = 0
    _image: str = ""
    _asked: int = 0
    _agreeing: int = 0

    def add(self, pair: QAPair) -> None:
        self.pairs += 1
        self.splits[pair.split or ""] += 1
        self.images.setdefault(pair.split or "", set()).add(pair.filename)
        self.units.setdefault(pair.split or "", set()).add(pair.unit_id or pair.filename)
        self.agreements[pair.agreement] += 1
        self.models[pair.provenance.model] += 1
        self.styles.update(value for name, value in pair.extra if name == "style")
        self.digest.add(pair)
        if pair.filename != self._image:
            self._next_image(pair.filename)
        self._asked += bool(pair.second_opinion)
        self._agreeing += pair.second_opinion == "agrees"

    def _next_image(self, filename: str) -> None:
        self.opinions.add_image(self._asked, self._agreeing)
        self._image, self._asked, self._agreeing = filename, 0, 0

    def described(self) -> dict[str, object]:
        """Return the facts for the manifest, once all pairs have passed."""
        self._next_image("")
        compared = self.agreements["agrees"] + self.agreements["disagrees"]
        interval = self.opinions.interval()
        return {
            "pairs": self.pairs,
            "images": len(set().union(*self.images.values())),
            "pairs_by_split": dict(self.splits),
            "images_by_split": {split: len(self.images.get(split, ())) for split in SPLITS},
            "pairs_by_model": dict(self.models),
            **({"pairs_by_style": dict(self.styles)} if self.styles else {}),
            "units": len(set().union(*self.units.values())),
            "units_by_split": {split: len(self.units.get(split, ())) for split in SPLITS},
            "images_missing": self.missing_images,
            "pairs_sha256": self.digest.hexdigest(),
            "agreement_with_listing": {
                "agrees": self.agreements["agrees"],
                "disagrees": self.agreements["disagrees"],
                "unknown": self.pairs - compared,
                "disagreeing_share": self.agreements["disagrees"] / compared if compared else None,
            },
            "second_opinions": {
                "asked": self.opinions.opinions,
                "agrees": self.opinions.agreeing,
                "rate": self.opinions.rate,
                "ci95": None if interval is None else list(interval),
            },
        }


def _write_files(
    pairs: Iterable[QAPair], folder: Path, embed_from: Path | None, extra: ExtraColumns
) -> _Facts:
    facts = _Facts()
    (folder / SPLITS_FOLDER).mkdir()
    with ExitStack() as stack:
        everything = stack.enter_context(
            _RowFile(folder / QA_FILE, with_extra(PAIR_SCHEMA, extra), extra, WRITE_BATCH)
        )
        # Opened when their first row comes: `datasets` cannot read a split without rows.
        by_split: dict[str, _RowFile] = {}
        image = None if embed_from is None else _image_reader(embed_from, facts)
        for pair in pairs:
            row = pair_row(pair)
            everything.add(row)
            facts.add(pair)
            if pair.split is None:
                continue
            if pair.split not in by_split:
                path = folder / SPLITS_FOLDER / f"{pair.split}.parquet"
                by_split[pair.split] = stack.enter_context(
                    _split_file(path, extra, embeds=bool(image))
                )
            by_split[pair.split].add(row, image(pair.filename) if image else None)
    return facts


class _RowFile:
    """A Parquet file that is written batch by batch."""

    def __init__(
        self,
        path: Path,
        schema: pa.Schema,
        extra: ExtraColumns,
        batch: int,
        *,
        embeds: bool = False,
    ) -> None:
        self._embeds = embeds
        self._extra = extra
        self._batch = batch
        self._rows: list[PairRow] = []
        self._images: list[dict[str, object] | None] = []
        self._writer = pq.ParquetWriter(path, schema, dictionary_pagesize_limit=_LARGEST_DICTIONARY)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._flush()
        self._writer.close()

    def add(self, row: PairRow, image: dict[str, object] | None = None) -> None:
        """Write a row; ``image`` stands in the column of images, where there is one."""
        self._rows.append(row)
        self._images.append(image)
        if len(self._rows) == self._batch:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            table = pair_table(self._rows, self._extra)
            if self._embeds:
                table = table.append_column("image", pa.array(self._images, _IMAGE))
            self._writer.write_table(table)
            self._rows, self._images = [], []


def _split_file(path: Path, extra: ExtraColumns, *, embeds: bool) -> _RowFile:
    """Open a file in which `datasets` finds its types, the image's among them."""
    types: dict[str, object] = {
        name: _BOXES if name == "boxes" else _TEXT for name in PAIR_SCHEMA.names
    }
    types |= {name: {**_TEXT, "dtype": ARROW_NAMES[kind]} for name, kind in extra.items()}
    schema = with_extra(PAIR_SCHEMA, extra)
    if embeds:
        types["image"] = {"_type": "Image"}
        schema = schema.append(pa.field("image", _IMAGE))
    features = json.dumps({"info": {"features": types}})
    schema = schema.with_metadata({"huggingface": features})
    batch = IMAGE_BATCH if embeds else WRITE_BATCH
    return _RowFile(path, schema, extra, batch, embeds=embeds)


def _image_reader(folder: Path, facts: _Facts) -> Callable[[str], dict[str, object] | None]:
    """Return what reads an image for its column; the rows of one image follow each other."""
    last: tuple[str, dict[str, object] | None] = ("", None)

    def read(filename: str) -> dict[str, object] | None:
        nonlocal last
        if last[0] != filename:
            try:
                content = (folder / filename).read_bytes()
            except OSError:
                facts.missing_images += 1
                last = (filename, None)
            else:
                last = (filename, {"bytes": content, "path": filename})
        return last[1]

    return read


def _told_of(extra: ExtraColumns) -> dict[str, object]:
    columns = {name: kind.value for name, kind in extra.items()}
    return {"extra_columns": columns} if columns else {}
