"""Reads the pairs of a run; every pair gets a split, whole products together."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from shared.corpus import NO_COLUMNS, ColumnNames, pairs_digest, read_pairs
from shared.dataset.check import SPLIT_ANEW, Leak, leak_text, leaks_among
from shared.dataset.splits import RULE, split_units
from shared.dataset.training_images import Recogniser, TrainingImages
from shared.dataset.units import independent_unit, units_of
from shared.errors import CorruptImage, InputError
from shared.images.decoding import open_image
from shared.images.fingerprints import Fingerprint, fingerprints, looks_of
from shared.images.names import is_file_below, with_file_names
from shared.images.source import ImageFolder
from shared.program.reporting.event_log import EventLog
from shared.records import SPLITS, QAPair
from trainer.recipe.recipe import SplitRecipe

FEW_UNITS: Final = 10
"""Fewer cannot be divided by shares."""

NAMED: Final = 3
"""Images that are named of those that are missing or broken."""

log = EventLog(__name__)


@dataclass(frozen=True)
class SplitPairs:
    """The pairs of each split; no product is in two of them.

    ``fingerprints`` are those of the images; ``rule`` says how they were divided.
    """

    train: tuple[QAPair, ...]
    validation: tuple[QAPair, ...]
    test: tuple[QAPair, ...]
    fingerprints: Mapping[str, Fingerprint] = field(default_factory=dict)
    rule: Mapping[str, object] = field(default_factory=dict)

    @property
    def everything(self) -> tuple[QAPair, ...]:
        """All pairs, split by split."""
        return self.train + self.validation + self.test

    def training_images(self) -> TrainingImages:
        """Return what the weights that come of these pairs should say of their images."""
        trained, chosen = (
            {pair.filename for pair in pairs} for pairs in (self.train, self.validation)
        )
        return TrainingImages(
            trained_on=self._prints(trained),
            chosen_by=self._prints(chosen - trained),
            sources=[self._source()],
        )

    def pretraining_images(self) -> TrainingImages:
        """Return the same for a base that is made of these pairs."""
        trained = {pair.filename for pair in self.train}
        return TrainingImages(pretrained_on=self._prints(trained), sources=[self._source()])

    def _source(self) -> dict[str, object]:
        return {"pairs_sha256": pairs_digest(self.everything), "split_rule": dict(self.rule)}

    def _prints(self, names: set[str]) -> list[Fingerprint]:
        return [self.fingerprints[name] for name in sorted(names) if name in self.fingerprints]


def load_pairs(
    data: Path,
    images_dir: Path,
    rule: SplitRecipe,
    *,
    columns: ColumnNames = NO_COLUMNS,
    allow_leaks: bool = False,
    base: TrainingImages | None = None,
) -> SplitPairs:
    """Read ``data`` and keep its split, or split its products by ``rule`` where it has none.

    What the weights to start from, ``base``, were trained on is never held out: it is put into the
    training split, or left out of the others where the data brings its own. What they were only
    pretrained on fills training first, and is told. Where ``allow_leaks`` is set, all this is but
    a warning.

    Raises:
        InputError: unreadable data, a missing images folder, missing or broken images, some rows
            without a split, a product or near-identical images in two splits, or nothing to train
            or validate on.
    """
    pairs, has_split = _pairs_with_images(data, images_dir, columns)
    prints = fingerprints(ImageFolder(images_dir), (pair.filename for pair in pairs))
    looks = looks_of(prints)
    _require_readable(pairs, looks, images_dir)
    units = units_of(pairs, looks)
    if has_split:
        _refuse_leaks(leaks_among(pairs, looks), data, allow=allow_leaks)
    seen = set() if base is None else _units_of(base.trained_on, units, prints)
    pretrained = set() if base is None else _units_of(base.pretrained_on, units, prints)
    _tell_trained(seen, units, data, allow=allow_leaks)
    if allow_leaks:
        seen = set()
    pairs = [replace(pair, unit_id=units[pair.filename]) for pair in pairs]
    if has_split:
        pairs = [pair for pair in pairs if pair.split == "train" or pair.unit_id not in seen]
        described: Mapping[str, object] = {"rule": "the data's own"}
    else:
        pairs = _split_anew(pairs, units, rule, seen, pretrained)
        described = {**RULE, **rule.model_dump()}
    train, validation, test = (
        tuple(pair for pair in pairs if pair.split == split) for split in SPLITS
    )
    divided = SplitPairs(
        train,
        validation,
        test,
        fingerprints=prints,
        rule={**described, "unit": independent_unit(pairs)},
    )
    _require_both(divided, data, seen, len(set(units.values())))
    _tell_pretrained(divided, pretrained - seen, data)
    return divided


def _pairs_with_images(
    data: Path, images_dir: Path, columns: ColumnNames
) -> tuple[list[QAPair], bool]:
    """Return the pairs of ``data``, all with an image, and whether they come with a split."""
    if not images_dir.is_dir():
        raise InputError(f"{images_dir}: no such images folder; set `images` in the recipe")
    read = read_pairs(data, columns)
    # Nobody is to learn from an answer that people found wrong, nor to choose an epoch by it.
    right = [pair for pair in read if pair.has_right_answer]
    if len(right) < len(read):
        log.info("pairs_without_right_answer", data=str(data), left_out=len(read) - len(right))
    if not right:
        raise InputError(f"{data}: people found no right answer in it; export it without them")
    pairs = with_file_names(right, images_dir, data)
    _require_images(pairs, images_dir)
    without = sum(pair.split is None for pair in pairs)
    if 0 < without < len(pairs):
        raise InputError(f"{data}: {without} of {len(pairs)} rows have no split; fill or drop it")
    return pairs, not without


def _split_anew(
    pairs: Sequence[QAPair],
    units: Mapping[str, str],
    rule: SplitRecipe,
    seen: set[str],
    pretrained: set[str],
) -> list[QAPair]:
    splits = split_units(
        units,
        fractions=(rule.train, rule.validation, rule.test),
        seed=rule.seed,
        for_training=seen,
        rather_for_training=pretrained,
    )
    return [replace(pair, split=splits[pair.filename]) for pair in pairs]


def _units_of(
    images: Sequence[Fingerprint], units: Mapping[str, str], prints: Mapping[str, Fingerprint]
) -> set[str]:
    """Return the units of which one of ``images`` is a part."""
    recogniser = Recogniser(images)
    return {units[name] for name, image in prints.items() if recogniser.knows(image)}


def _tell_trained(seen: set[str], units: Mapping[str, str], data: Path, *, allow: bool) -> None:
    if seen:
        log.warning(
            "base_was_trained_on_images",
            data=str(data),
            images=sum(unit in seen for unit in units.values()),
            of=len(units),
            held_out="they may be" if allow else "none of them",
        )


def _tell_pretrained(divided: SplitPairs, pretrained: set[str], data: Path) -> None:
    held_out = {pair.filename: pair.unit_id for pair in divided.validation + divided.test}
    count = sum(unit in pretrained for unit in held_out.values())
    if count:
        log.warning(
            "base_was_pretrained_on_held_out_images",
            data=str(data),
            images=count,
            of=len(held_out),
            why="the base may know their answers before any adapter learns",
        )


def _require_both(divided: SplitPairs, data: Path, seen: Collection[str], units: int) -> None:
    if divided.train and divided.validation:
        return
    why, way_out = "", "; both are needed"
    if units < FEW_UNITS:
        why = f", with all images of {units} products or look-alikes"
        way_out += "; if a column names no product, forget it with columns = {product = ''}"
    if seen:
        why = " after what the base itself was trained on"
        way_out = (
            ", so that no score would be honest; give data with other images, or set "
            "`allow_leaks` to train all the same"
        )
    raise InputError(
        f"{data}: {len(divided.train)} training and {len(divided.validation)} validation "
        f"rows{why}{way_out}"
    )


def _require_images(pairs: Sequence[QAPair], images_dir: Path) -> None:
    names = sorted({pair.filename for pair in pairs})
    missing = [name for name in names if not is_file_below(images_dir, name)]
    if missing:
        raise InputError(
            f"{images_dir}: {len(missing)} of {len(names)} images are missing, such as "
            f"{_first_of(missing)}"
        )


def _require_readable(pairs: Sequence[QAPair], readable: Collection[str], images_dir: Path) -> None:
    names = {pair.filename for pair in pairs}
    broken = sorted(names.difference(readable))
    if broken:
        raise InputError(
            f"{images_dir}: {len(broken)} of {len(names)} images cannot be read, such as "
            f"{_first_of(broken)}{_fault_of(images_dir / broken[0])}; mend them, or leave their "
            "rows out"
        )


def _first_of(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMED])


def _fault_of(path: Path) -> str:
    """Return, in brackets, why a picture cannot be read."""
    try:
        open_image(path)
    except CorruptImage as error:
        return f" ({error})"
    return ""


def _refuse_leaks(leaks: Sequence[Leak], data: Path, *, allow: bool) -> None:
    if not leaks:
        return
    if not allow:
        raise InputError(
            f"{data}: {leak_text(leaks)}, so scores would not be honest; {SPLIT_ANEW} "
            "(`evaluator check` lists the leaks), or set `allow_leaks` to train all the same"
        )
    log.warning("leaks_allowed", data=str(data), found=leak_text(leaks))
