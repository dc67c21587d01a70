"""Image files to pixels, exactly as the checkpoint's own processor does it.

The Pillow backend is named rather than left to transformers, which would take torchvision where
it is installed: the same file must give the same pixels on every machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import torch
from PIL import Image, ImageFile
from transformers import BlipImageProcessorPil

from shared.errors import CorruptImage


def open_image(path: Path) -> Image.Image:
    """Decode an image file fully, as RGB.

    Raises:
        CorruptImage: the file is missing, truncated or not an image.
    """
    return decode_image(path, str(path))


def decode_image(content: Path | BinaryIO, name: str) -> Image.Image:
    """Do the same for a file or for what is in memory, under the name it has for people."""
    try:
        with Image.open(content) as image:
            return image.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise CorruptImage(f"{name}: not a readable image ({error})") from error


def pixel_values(processor: BlipImageProcessorPil, images: Sequence[Image.Image]) -> torch.Tensor:
    """Return resized, rescaled and normalised pixels ``(N, C, H, W)`` in float32."""
    pixels: torch.Tensor = processor(images=list(images), return_tensors="pt")["pixel_values"]
    return pixels


def to_device(pixels: torch.Tensor, device: torch.device, dtype: torch.dtype) -> torch.Tensor:
    """Return pixels on the model's device; the copy to a GPU does not wait for earlier work."""
    if device.type == "cuda":
        pixels = pixels.pin_memory()
    return pixels.to(device, dtype, non_blocking=True)


# Truncated downloads must be reported, not filled with grey.
ImageFile.LOAD_TRUNCATED_IMAGES = False
