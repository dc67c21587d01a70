"""Pictures of coloured shapes, and questions with answers about them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from shared.records import QAPair, Split, pair_id

COLOURS = {"red": (220, 30, 30), "green": (30, 160, 40), "blue": (30, 40, 220)}
SHAPES = ("circle", "square", "triangle")


def draw_shape(path: Path, number: int, side: int = 40) -> tuple[str, str]:
    """Draw a shape that no other number gives; return its colour and its name."""
    dice = random.Random(number)
    colour, shape = list(COLOURS)[number % 3], SHAPES[number // 3 % 3]
    ground = tuple(dice.randrange(200, 256) for _ in range(3))
    image = Image.new("RGB", (side, side), ground)
    pen = ImageDraw.Draw(image)
    size = dice.randrange(side // 3, side // 2)
    left, top = dice.randrange(side - size), dice.randrange(side - size)
    box = (left, top, left + size, top + size)
    if shape == "circle":
        pen.ellipse(box, fill=COLOURS[colour])
    elif shape == "square":
        pen.rectangle(box, fill=COLOURS[colour])
    else:
        pen.polygon([(left, top + size), box[2:], (left + size // 2, top)], fill=COLOURS[colour])
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)
    return colour, shape


def draw_gallery(
    folder: Path, count: int, splits: Sequence[Split | None] = (None,)
) -> list[QAPair]:
    """Draw ``count`` pictures and return two pairs about each, ``splits`` taken in turn."""
    pairs = []
    for number in range(count):
        name = f"{number:03}.png"
        colour, shape = draw_shape(folder / name, number)
        split = splits[number % len(splits)]
        for question, answer in (("what color is the shape", colour), ("what shape is it", shape)):
            pairs.append(QAPair(pair_id(name, question), question, answer, name, split))
    return pairs
