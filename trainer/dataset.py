"""Reads the pairs of a run and sees to it that every one has a split, by image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from shared.corpus import read_pairs
from shared.data_check import find_leaks, leak_text
from shared.errors import InputError
from shared.records import QAPair
from shared.splits import split_by_image
from trainer.recipe import SplitRecipe

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True)
class SplitPairs:
    """The pairs of each split; no image is in two of them."""

    train: tuple[QAPair, ...]
    validation: tuple[QAPair, ...]
    test: tuple[QAPair, ...]

    @property
    def everything(self) -> tuple[QAPair, ...]:
        """All pairs, split by split."""
        return self.train + self.validation + self.test


def load_pairs(
    data: Path, images_dir: Path, rule: SplitRecipe, *, allow_leaks: bool = False
) -> SplitPairs:
    """Read ``data`` and keep its split, or split its images by ``rule`` where it has none.

    Where ``allow_leaks`` is set, the same or near-identical images in two splits are but a warning.

    Raises:
        InputError: unreadable data, a missing images folder, missing images, some rows without
            a split, the same or near-identical images in two splits, or nothing to train or
            validate on.
    """
    if not images_dir.is_dir():
        raise InputError(f"{images_dir}: no such images folder; set `images` in the recipe")
    pairs = read_pairs(data)
    _require_images(pairs, images_dir)
    without = sum(pair.split is None for pair in pairs)
    if without == len(pairs):
        fractions = (rule.train, rule.validation, rule.test)
        names = [pair.filename for pair in pairs]
        splits = split_by_image(images_dir, names, fractions=fractions, seed=rule.seed)
        pairs = [replace(pair, split=splits[pair.filename]) for pair in pairs]
    elif without:
        raise InputError(f"{data}: {without} of {len(pairs)} rows have no split; fill or drop it")
    else:
        _refuse_leaks(pairs, data, images_dir, allow=allow_leaks)
    divided = SplitPairs(
        *(
            tuple(pair for pair in pairs if pair.split == split)
            for split in ("train", "validation", "test")
        )
    )
    if not divided.train or not divided.validation:
        raise InputError(
            f"{data}: {len(divided.train)} training and {len(divided.validation)} validation "
            "rows; both are needed"
        )
    return divided


def _require_images(pairs: Sequence[QAPair], images_dir: Path) -> None:
    names = sorted({pair.filename for pair in pairs})
    missing = [name for name in names if not (images_dir / name).is_file()]
    if missing:
        raise InputError(
            f"{images_dir}: {len(missing)} of {len(names)} images are missing, such as {missing[0]}"
        )


def _refuse_leaks(pairs: Sequence[QAPair], data: Path, images_dir: Path, *, allow: bool) -> None:
    leaks = find_leaks(pairs, images_dir)
    if not leaks:
        return
    if not allow:
        raise InputError(
            f"{data}: {leak_text(leaks)}, so scores would not be honest; split by image "
            "(`evaluator check` lists them), or set `allow_leaks` to train all the same"
        )
    log.warning("leaks_allowed", data=str(data), found=leak_text(leaks))
