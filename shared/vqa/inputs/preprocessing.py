"""Pictures to pixels, exactly as the checkpoint's own processor does it.

The Pillow backend is named rather than left to transformers, which would take torchvision where
it is installed: the same file must give the same pixels on every machine.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from transformers import BlipImageProcessorPil, ViltImageProcessorPil
from transformers.image_utils import ChannelDimension
from transformers.models.vilt.image_processing_pil_vilt import (
    MAX_LONGER_EDGE,
    MAX_SHORTER_EDGE,
    get_resize_output_image_size,
)


def pixel_values(
    processor: BlipImageProcessorPil | ViltImageProcessorPil, images: Sequence[Image.Image]
) -> torch.Tensor:
    """Return resized, rescaled and normalised pixels ``(N, C, H, W)`` in float32.

    The processor itself would copy each picture three times to resize it.
    """
    sizes = [size for image in images if (size := _size(processor, image))]
    if len(sizes) < len(images):
        return _processed(processor, images)
    resample = Image.Resampling(processor.resample)
    resized = [image.resize(size, resample) for image, size in zip(images, sizes, strict=True)]
    return _processed(processor, resized, do_resize=False)


def _processed(
    processor: BlipImageProcessorPil | ViltImageProcessorPil,
    images: Sequence[Image.Image],
    **changes: bool,
) -> torch.Tensor:
    pixels: torch.Tensor = processor(images=images, return_tensors="pt", **changes)["pixel_values"]
    return pixels


def _size(
    processor: BlipImageProcessorPil | ViltImageProcessorPil, image: Image.Image
) -> tuple[int, int] | None:
    """Return the width and height that a processor resizes to; ``None`` where that is its own."""
    size = processor.size
    if not processor.do_resize or image.mode != "RGB":
        return None
    if type(processor) is BlipImageProcessorPil and size.height:
        return size.width, size.height
    if type(processor) is ViltImageProcessorPil and (shorter := size.shortest_edge):
        longer = int(MAX_LONGER_EDGE / MAX_SHORTER_EDGE * shorter)
        # Of an array it reads the shape alone; this one has no memory.
        shape = np.broadcast_to(np.uint8(0), (3, image.height, image.width))
        height, width = get_resize_output_image_size(
            shape, shorter, longer, processor.size_divisor, ChannelDimension.FIRST
        )
        # Of what is narrower than a patch, the processor makes nothing, and fails.
        return max(width, processor.size_divisor), max(height, processor.size_divisor)
    return None


def to_device(pixels: torch.Tensor, device: torch.device, dtype: torch.dtype) -> torch.Tensor:
    """Return pixels on the model's device; the copy to a GPU does not wait for earlier work."""
    if device.type == "cuda":
        pixels = pixels.pin_memory()
    return pixels.to(device, dtype, non_blocking=True)
