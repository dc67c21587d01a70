"""A picture as the pixels that an exported model reads, by the rules in its manifest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shared.images.pixels import rgb


def pixels_by(rules: Mapping[str, Any], image: Image.Image) -> NDArray[np.float32]:
    """Return an image as pixels ``(1, C, H, W)``: resized, cropped, rescaled and normalised.

    It is turned as its camera says, and put on white where it is transparent.
    """
    picture = rgb(image)
    width, height = _size_by(rules, picture)
    resample = Image.Resampling(rules["resample"])
    if rules.get("rows_first"):
        picture = picture.resize((width, picture.height), resample)
    resized = picture.resize((width, height), resample)
    if "crop" in rules:
        resized = _centre(resized, *rules["crop"])
    # In the order and precision of the processor that the model was trained with.
    scaled = (np.asarray(resized).astype(np.float64) * rules["rescale"]).astype(np.float32)
    mean, std = (np.array(rules[name], dtype=np.float32) for name in ("mean", "std"))
    pixels: NDArray[np.float32] = ((scaled - mean) / std).transpose(2, 0, 1)[None]
    return np.ascontiguousarray(pixels)


def _size_by(rules: Mapping[str, Any], picture: Image.Image) -> tuple[int, int]:
    """Return width and height: one size for all, or what keeps the picture's shape."""
    if "shortest" not in rules:
        return rules["width"], rules["height"]
    shortest, sides = rules["shortest"], (picture.width, picture.height)
    if "divisor" not in rules:
        # As CLIP's processor: the longer side is cut to whole pixels.
        return tuple(  # type: ignore[return-value]
            shortest if side == min(sides) else int(shortest * side / min(sides)) for side in sides
        )
    # As ViLT's: never longer than that, and in whole patches.
    scale = shortest / min(sides)
    exact = [shortest if side == min(sides) else scale * side for side in sides]
    if max(exact) > rules["longest"]:
        shrunk = rules["longest"] / max(exact)
        exact = [shrunk * side for side in exact]
    divisor = rules["divisor"]
    width, height = (int(side + 0.5) // divisor * divisor for side in exact)
    # What is narrower than a patch is made as wide as one.
    return max(width, divisor), max(height, divisor)


def _centre(picture: Image.Image, height: int, width: int) -> Image.Image:
    left, top = (picture.width - width) // 2, (picture.height - height) // 2
    return picture.crop((left, top, left + width, top + height))
