"""Divides units, never rows or images alone, into train, validation and test.

A split by row leaks every test image into training, and a split by image leaks the other views of
a product; ``shared.dataset.units`` says what belongs together.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

import numpy as np

from shared.dataset.units import members
from shared.errors import InputError
from shared.records import Split

RULE: Final = {"rule": "whole units, drawn at random", "version": 2}
"""Version 1, which manifests do not name, knew near-identical images and no products."""


def split_units(
    units: Mapping[str, str],
    *,
    fractions: tuple[float, float, float] = (0.8, 0.1, 0.1),
    seed: int = 0,
    for_training: Collection[str] = (),
    rather_for_training: Collection[str] = (),
) -> dict[str, Split]:
    """Return the split of each image, the images of one unit together.

    It depends on the seed and the units alone.

    Args:
        units: the unit of each image, see ``units_of``.
        fractions: the shares of train, validation and test by number of images.
        seed: decides which unit goes where.
        for_training: units that only training may see; they count towards its share.
        rather_for_training: units that fill training first, and then the others' shares.

    Raises:
        InputError: the fractions are negative or do not add up to 1.
    """
    if min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-6:  # noqa: PLR2004
        raise InputError(f"split fractions {fractions}: give three shares that add up to 1")
    groups = members(units)
    order = [groups[index] for index in np.random.default_rng(seed).permutation(len(groups))]
    bounds = np.cumsum(fractions) * len(units)
    assigned: dict[str, Split] = {}
    for group in order:
        if units[group[0]] in for_training:
            assigned.update(dict.fromkeys(group, "train"))
    for group in sorted(order, key=lambda group: units[group[0]] not in rather_for_training):
        if group[0] in assigned:
            continue
        # A group goes where its middle falls, so that rounding favours no side.
        position = len(assigned) + len(group) / 2
        split: Split = (
            "train" if position <= bounds[0] else "validation" if position <= bounds[1] else "test"
        )
        assigned.update(dict.fromkeys(group, split))
    return assigned
