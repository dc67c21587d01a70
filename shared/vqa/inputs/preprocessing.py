"""Pictures to pixels, exactly as the checkpoint's own processor does it.

The Pillow backend is named rather than left to transformers, which would take torchvision where
it is installed: the same file must give the same pixels on every machine.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from PIL import Image
from transformers import BlipImageProcessorPil


def pixel_values(processor: BlipImageProcessorPil, images: Sequence[Image.Image]) -> torch.Tensor:
    """Return resized, rescaled and normalised pixels ``(N, C, H, W)`` in float32."""
    resized = [_resized(processor, image) for image in images]
    pixels: torch.Tensor = processor(images=resized, return_tensors="pt")["pixel_values"]
    return pixels


def _resized(processor: BlipImageProcessorPil, image: Image.Image) -> Image.Image:
    """Return what the processor would make of an image, which copies it three times to resize it.

    What has the right size it leaves as it is.
    """
    size = processor.size
    is_fixed = type(processor) is BlipImageProcessorPil and processor.do_resize and size.height
    if not is_fixed or image.mode != "RGB":
        return image
    return image.resize((size.width, size.height), Image.Resampling(processor.resample))


def to_device(pixels: torch.Tensor, device: torch.device, dtype: torch.dtype) -> torch.Tensor:
    """Return pixels on the model's device; the copy to a GPU does not wait for earlier work."""
    if device.type == "cuda":
        pixels = pixels.pin_memory()
    return pixels.to(device, dtype, non_blocking=True)
