"""Which images some weights were trained on: a small file beside them, which travels with them.

It holds digests and looks, no names and no pictures: an image is known again under another name,
in another folder or encoded anew. Whoever makes weights out of others' writes the union; what a
base was pretrained on stays apart from what was learned of it for a task.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.lib
import pyarrow.parquet as pq

from shared.errors import InputError
from shared.files.atomic import atomic_path
from shared.images.fingerprints import DIGEST_BYTES, Fingerprint
from shared.images.likeness import HASH_DISTANCE, Look, colour_tolerance

TRAINING_IMAGES: Final = "training_images.parquet"
FORMAT: Final = 1
ROLES: Final = ("trained_on", "chosen_by", "pretrained_on")
ENCODED_ANEW_BITS: Final = 6
ENCODED_ANEW_COLOUR: Final = 0.75
"""Of 72 ABO photos enlarged and saved at quality 70, all are within 4 bits and 0.5 grey levels."""
_BITS: Final = np.array([number.bit_count() for number in range(256)], dtype=np.uint8)
_HEAD: Final = b"abo-vqa"
_SIDE: Final = 4
"""Thumbnails are kept at half their side: a quarter of the bytes, and close pairs stay close."""
_COLOURS: Final = _SIDE * _SIDE * 3
_SCHEMA: Final = pa.schema(
    [
        ("role", pa.string()),
        ("digest", pa.binary(DIGEST_BYTES)),
        ("hash", pa.uint64()),
        ("colours", pa.binary(_COLOURS)),
    ]
)


@dataclass(frozen=True)
class TrainingImages:
    """The images that weights were trained on, by what they were for.

    ``trained_on`` taught an adapter, or weights that took one in; ``chosen_by`` decided which epoch
    was kept; ``pretrained_on`` taught the base under it all. ``sources`` says of each data set its
    hash and the rule that divided it.
    """

    trained_on: Sequence[Fingerprint] = ()
    chosen_by: Sequence[Fingerprint] = ()
    pretrained_on: Sequence[Fingerprint] = ()
    sources: Sequence[Mapping[str, Any]] = ()

    @property
    def by_role(self) -> Mapping[str, Sequence[Fingerprint]]:
        """Return the images of each role, by its name."""
        return {role: getattr(self, role) for role in ROLES}


def together(parts: Iterable[TrainingImages]) -> TrainingImages:
    """Return the images of several weights that became one, each in the roles that it had."""
    every = list(parts)
    return TrainingImages(
        **{role: [image for part in every for image in part.by_role[role]] for role in ROLES},
        sources=[source for part in every for source in part.sources],
    )


class Recogniser:
    """Tells whether an image is one of many that are known by their fingerprints.

    Beside what ``shared.images.likeness`` calls near-identical, a picture counts that was encoded
    anew at another size: its hash may differ in more bits, its colours hardly differ.
    """

    def __init__(self, fingerprints: Sequence[Fingerprint]) -> None:
        self._digests = {fingerprint.digest for fingerprint in fingerprints}
        looks = [_coarse(item.look) for item in fingerprints if item.look is not None]
        self._hashes = np.array([look.hash for look in looks], dtype=np.uint64)
        colours = [look.thumbnail.reshape(_COLOURS) for look in looks]
        self._colours = np.array(colours, dtype=np.int16).reshape(len(looks), _COLOURS)

    def knows(self, fingerprint: Fingerprint) -> bool:
        """Tell whether this is the same file or a near-identical picture."""
        if fingerprint.digest in self._digests:
            return True
        return fingerprint.look is not None and self._looks_known(_coarse(fingerprint.look))

    def _looks_known(self, look: Look) -> bool:
        differing = self._hashes ^ np.uint64(look.hash)
        bits = _BITS[differing.view(np.uint8).reshape(-1, 8)].sum(axis=1)
        near = bits <= ENCODED_ANEW_BITS
        if not near.any():
            return False
        colours = look.thumbnail.reshape(_COLOURS)
        distance = np.abs(self._colours[near] - colours).mean(axis=1)
        is_same = (bits[near] <= HASH_DISTANCE) & (distance <= colour_tolerance(look.thumbnail))
        return bool((is_same | (distance <= ENCODED_ANEW_COLOUR)).any())


def write_training_images(images: TrainingImages, folder: Path) -> None:
    """Write the file beside the weights in ``folder``, whole or not at all."""
    rows = [
        _row(fingerprint, role)
        for role, fingerprints in images.by_role.items()
        for fingerprint in fingerprints
    ]
    # In the order of their digests, the file tells nothing of how the data was ordered.
    distinct = {(row["role"], row["digest"]): row for row in rows}
    table = pa.Table.from_pylist([distinct[key] for key in sorted(distinct)], _SCHEMA)
    head = json.dumps({"format": FORMAT, "sources": list(images.sources)})
    with atomic_path(folder / TRAINING_IMAGES) as part:
        pq.write_table(table.replace_schema_metadata({_HEAD: head}), part, compression="zstd")


def read_training_images(folder: Path) -> TrainingImages | None:
    """Return what lies beside the weights in ``folder``; ``None`` where nothing does.

    Raises:
        InputError: the file is damaged or of another version.
    """
    path = folder / TRAINING_IMAGES
    if not path.is_file():
        return None
    try:
        table = pq.read_table(path)
        head = json.loads((table.schema.metadata or {})[_HEAD])
        if head["format"] != FORMAT:
            raise ValueError(f"format {head['format']}")  # noqa: TRY301
        by_role: dict[str, list[Fingerprint]] = {role: [] for role in ROLES}
        for row in table.to_pylist():
            by_role[row["role"]].append(_fingerprint(row))
        return TrainingImages(**by_role, sources=list(head["sources"]))
    except (OSError, KeyError, TypeError, ValueError, pyarrow.lib.ArrowException) as error:
        raise InputError(
            f"{path}: does not tell which images were trained on ({str(error).splitlines()[0]}); "
            "remove it, and nothing is known, or train again"
        ) from error


def _coarse(look: Look) -> Look:
    side = look.thumbnail.shape[0]
    if side == _SIDE:
        return look
    step = side // _SIDE
    blocks = look.thumbnail.reshape(_SIDE, step, _SIDE, step, 3)
    return Look(look.hash, np.rint(blocks.mean(axis=(1, 3))).astype(np.int16))


def _row(fingerprint: Fingerprint, role: str) -> dict[str, Any]:
    row = {"role": role, "digest": fingerprint.digest, "hash": None, "colours": None}
    if fingerprint.look is None:
        return row
    look = _coarse(fingerprint.look)
    return row | {"hash": look.hash, "colours": look.thumbnail.astype(np.uint8).tobytes()}


def _fingerprint(row: Mapping[str, Any]) -> Fingerprint:
    if row["hash"] is None:
        return Fingerprint(row["digest"], None)
    colours = np.frombuffer(row["colours"], dtype=np.uint8).astype(np.int16)
    return Fingerprint(row["digest"], Look(row["hash"], colours.reshape(_SIDE, _SIDE, 3)))
