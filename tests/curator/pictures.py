"""Small catalogues of pictures that can be told apart, with answers about them."""

from __future__ import annotations

import csv
import gzip
import json
import random
from pathlib import Path

from PIL import Image, ImageDraw


def draw_picture(path: Path, number: int, size: int = 48) -> None:
    """Draw a picture that no other number gives."""
    path.parent.mkdir(parents=True, exist_ok=True)
    dice = random.Random(number)
    image = Image.new("RGB", (size, size), tuple(dice.randrange(256) for _ in range(3)))
    pen = ImageDraw.Draw(image)
    for _ in range(4):
        x, y = dice.randrange(size), dice.randrange(size)
        colour = tuple(dice.randrange(256) for _ in range(3))
        pen.rectangle((x, y, x + size // 3, y + size // 4), fill=colour)
    image.save(path)


def write_abo(folder: Path, count: int) -> Path:
    """Write an ABO download of ``count`` listings with one picture each."""
    products, index = [], ["image_id,height,width,path"]
    for number in range(count):
        name = f"{number % 4:02x}/{number:08x}.jpg"
        draw_picture(folder / "images" / "small" / name, number)
        index.append(f"img{number},48,48,{name}")
        products.append(
            {
                "item_id": f"B{number:04}",
                "item_name": [{"language_tag": "en_US", "value": f"thing {number}"}],
                "main_image_id": f"img{number}",
            }
        )
    for path, lines in (
        (folder / "images" / "metadata" / "images.csv.gz", index),
        (folder / "listings" / "metadata" / "listings_0.json.gz", map(json.dumps, products)),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress("\n".join(lines).encode()))
    return folder


def write_answers(images: Path, path: Path) -> Path:
    """Write three valid pairs about each picture in a folder."""
    names = sorted(path.relative_to(images).as_posix() for path in images.rglob("*.jpg"))
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["filename", "question", "answer"])
        for at, name in enumerate(names):
            rows.writerow([name, "What is the colour of this?", f"colour{at}"])
            rows.writerow([name, "What is shown in the picture?", f"thing{at}"])
            rows.writerow([name, "How many parts can you see?", f"number{at}"])
    return path
