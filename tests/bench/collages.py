"""Pictures of three products each, asked about one of them, with the boxes known.

The products are those of the ABO sample in ``../shared/abo`` of which all questions name one kind.
Those that blip-vqa-tiny never learned from are kept for the test.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
from PIL import Image

from shared.corpus import read_pairs
from shared.dataset.splits import split_units
from shared.dataset.units import units_of
from shared.images.fingerprints import looks_in
from shared.records import QAPair, Split, pair_id
from shared.records.boxes import Box
from shared.records.grouping import by_image

ABO = Path(__file__).parents[3] / "shared" / "abo"
PHOTOS = ABO / "images" / "small"
KINDS = ("shoe", "necklace", "chair", "suitcase", "bulb", "bag")
GROUNDS = {
    "red": (255, 110, 110),
    "green": (110, 215, 120),
    "blue": (110, 150, 255),
    "yellow": (255, 240, 110),
    "purple": (200, 120, 235),
    "orange": (255, 180, 80),
}
PRODUCTS = 3
QUARTER, SMALLEST, LARGEST = 128, 96, 124
"""Sides of a quarter of a picture, and of the squares with a product, in pixels."""
WHITE = 235
"""Darkest of what counts as the white behind a product, of 255."""


class Setting(StrEnum):
    """What is asked.

    ``grounds``: "what is on the red ground?"; each product lies on a colour of its own, so the
    place is easy to find, and the answer is its kind. ``names``: what ABO's people asked of the
    product's colour, such as "what is the main color of the shoe"; the ground is white, so the
    place must be found by the kind.
    """

    GROUNDS = "grounds"
    NAMES = "names"


@dataclass(frozen=True)
class Product:
    """A photo on white, square, and its colour as a question and an answer, if asked for."""

    photo: Image.Image
    colour: QAPair | None


Products = Mapping[str, Sequence[Product]]
"""Products of each kind."""


def read_products(setting: Setting) -> tuple[Products, Products]:
    """Return the products to learn from and those for the test, by kind."""
    pairs_of = by_image(read_pairs(ABO / "vqa.csv"))
    # As `trainer pretrain` divided them for the shipped model.
    split = split_units(units_of((), looks_in(PHOTOS, pairs_of)))
    learned: defaultdict[str, list[Product]] = defaultdict(list)
    tested: defaultdict[str, list[Product]] = defaultdict(list)
    for name, pairs in pairs_of.items():
        kinds = [kind for kind in KINDS if any(_names(pair, kind) for pair in pairs)]
        if len(kinds) != 1:
            continue
        [kind] = kinds
        colour = next((pair for pair in pairs if _asks_colour(pair, kind)), None)
        if colour is not None or setting is Setting.GROUNDS:
            products = learned if split[name] == "train" else tested
            products[kind].append(Product(_square(PHOTOS / name), colour))
    return learned, tested


def _names(pair: QAPair, kind: str) -> bool:
    return bool(re.search(rf"\b{kind}s?\b", pair.question.lower()))


def _asks_colour(pair: QAPair, kind: str) -> bool:
    asked = rf"what (color is|is the (main |primary )?color of) the {kind}s?\??"
    return bool(re.fullmatch(asked, pair.question.lower()))


def _square(path: Path) -> Image.Image:
    photo = Image.open(path).convert("RGB")
    photo.thumbnail((LARGEST, LARGEST))
    square = Image.new("RGB", (LARGEST, LARGEST), "white")
    square.paste(photo, ((LARGEST - photo.width) // 2, (LARGEST - photo.height) // 2))
    return square


def draw(
    path: Path, products: Products, setting: Setting, dice: np.random.Generator, split: Split
) -> list[QAPair]:
    """Write a picture of products of different kinds; return a question about each."""
    canvas = Image.new("RGB", (2 * QUARTER, 2 * QUARTER), "white")
    pairs = []
    kinds, quarters = dice.permutation(KINDS)[:PRODUCTS], dice.permutation(4)
    for kind, quarter, ground in zip(
        kinds, quarters, dice.permutation(list(GROUNDS)), strict=False
    ):
        product = products[kind][dice.integers(len(products[kind]))]
        side = int(dice.integers(SMALLEST, LARGEST))
        left = int(quarter % 2 * QUARTER + dice.integers(QUARTER - side))
        top = int(quarter // 2 * QUARTER + dice.integers(QUARTER - side))
        photo = product.photo.resize((side, side))
        if setting is Setting.NAMES:
            assert product.colour is not None
            question, answer = product.colour.question, product.colour.answer
        else:
            question, answer = f"what is on the {ground} ground?", str(kind)
            photo = _on_ground(photo, GROUNDS[ground])
        canvas.paste(photo, (left, top))
        corners = np.array([left, top, left + side, top + side]) / (2 * QUARTER)
        box = Box(*map(float, corners))
        name = path.name
        pairs.append(QAPair(pair_id(name, question), question, answer, name, split, boxes=(box,)))
    canvas.save(path)
    return pairs


def _on_ground(photo: Image.Image, colour: tuple[int, int, int]) -> Image.Image:
    pixels = np.array(photo)
    pixels[pixels.min(-1) >= WHITE] = colour
    return Image.fromarray(pixels)
