"""Nothing but ``shared.images.pixels`` opens a picture, turns it or makes it opaque."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
OPENER = ROOT / "shared" / "images" / "pixels.py"
PARTS = ("curator", "evaluator", "trainer", "shared")
FORBIDDEN = {
    ("Image", "open"),
    ("Image", "frombuffer"),
    ("ImageFile", "Parser"),
    ("ImageOps", "exif_transpose"),
    ("io", "read_image"),
    ("io", "decode_image"),
}
READERS = {"cv2", "imageio", "skimage", "torchvision.io", "PIL.ImageFile", "PIL.ImageOps"}


def openers(source: str) -> list[str]:
    """Return what of ``source`` opens pictures by itself."""
    places = []
    tree = ast.parse(source)
    names_of = _names_by_alias(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            owner = node.value.id if isinstance(node.value, ast.Name) else ""
            owner = node.value.attr if isinstance(node.value, ast.Attribute) else owner
            owner = names_of.get(owner, owner)
            if (owner, node.attr) in FORBIDDEN or node.attr == "imread":
                places.append(f"{owner}.{node.attr} in line {node.lineno}")
        elif isinstance(node, ast.ImportFrom):
            names = {alias.name for alias in node.names}
            full = {f"{node.module}.{name}" for name in names}
            if node.module in READERS or full & READERS:
                places.append(f"import from {node.module} in line {node.lineno}")
            elif (node.module == "PIL.Image" and "open" in names) or "imread" in names:
                places.append(f"PIL.Image.open in line {node.lineno}")
        elif isinstance(node, ast.Import):
            places += [
                f"import {alias.name} in line {node.lineno}"
                for alias in node.names
                if alias.name in READERS
            ]
        elif isinstance(node, ast.Call) and _makes_rgb_of_a_picture(node):
            places.append(f"convert to RGB in line {node.lineno}")
    return places


def _names_by_alias(tree: ast.AST) -> dict[str, str]:
    """Return the last part of the name of what is imported under another."""
    return {
        alias.asname: alias.name.rpartition(".")[2]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
        if alias.asname
    }


def _makes_rgb_of_a_picture(call: ast.Call) -> bool:
    arguments = [*call.args, *(keyword.value for keyword in call.keywords)]
    return (
        isinstance(call.func, ast.Attribute)
        and call.func.attr == "convert"
        and any(
            isinstance(argument, ast.Constant) and argument.value == "RGB" for argument in arguments
        )
    )


@pytest.mark.parametrize("part", PARTS)
def test_pictures_are_opened_in_one_place(part):
    others = {
        str(path.relative_to(ROOT)): places
        for path in (ROOT / part).rglob("*.py")
        if path != OPENER and (places := openers(path.read_text(encoding="utf-8")))
    }
    assert not others, f"read pictures through shared.images.decoding: {others}"


def test_the_one_place_would_be_noticed():
    assert len(openers(OPENER.read_text(encoding="utf-8"))) >= 2


@pytest.mark.parametrize(
    "source",
    [
        "from PIL import Image\nImage.open(path)",
        "import PIL.Image\nPIL.Image.open(path)",
        "from PIL.Image import open as start",
        "from PIL import ImageOps",
        "import cv2",
        "picture.convert('RGB')",
        "picture.convert(mode='RGB')",
        "from PIL import Image as pictures\npictures.open(path)",
        "import PIL.Image as pictures\npictures.open(path)",
        "import matplotlib.pyplot as plt\nplt.imread(path)",
        "from matplotlib.image import imread",
    ],
)
def test_every_way_around_it_is_seen(source):
    assert openers(source)
