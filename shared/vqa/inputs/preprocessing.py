"""Pictures to pixels, exactly as the checkpoint's own processor does it.

The Pillow backend is named rather than left to transformers, which would take torchvision where
it is installed: the same file must give the same pixels on every machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from transformers import BlipImageProcessorPil, ViltImageProcessorPil
from transformers.image_utils import ChannelDimension
from transformers.models.vilt.image_processing_pil_vilt import (
    MAX_LONGER_EDGE,
    MAX_SHORTER_EDGE,
    get_resize_output_image_size,
)

_VALUES: Final = 256
"""Of a colour in 8 bits."""


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
    if _goes_by_value(processor):
        return torch.from_numpy(np.stack([_looked_up(processor, image) for image in resized]))
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


def _goes_by_value(processor: BlipImageProcessorPil | ViltImageProcessorPil) -> bool:
    """Whether each number that is made of a resized picture is that of one colour's value alone."""
    others = ("do_center_crop", "do_pad")
    return type(processor) is BlipImageProcessorPil and not any(
        getattr(processor, name, None) for name in others
    )


def _looked_up(processor: BlipImageProcessorPil, image: Image.Image) -> NDArray[np.float32]:
    """Return a picture's pixels ``(C, H, W)`` as the processor has them, in a third of the time."""
    table_CV = _table(
        processor,
        processor.do_rescale,
        processor.rescale_factor,
        processor.do_normalize,
        # Each may be one number for all colours.
        *(tuple(np.ravel(values)) for values in (processor.image_mean, processor.image_std)),
    )
    values_HWC = np.asarray(image)
    return np.stack([row_V[values_HWC[..., at]] for at, row_V in enumerate(table_CV)])


@lru_cache(maxsize=8)
def _table(processor: BlipImageProcessorPil, *_settings: object) -> NDArray[np.float32]:
    """Return what the processor makes of each value in each colour, ``(C, 256)``."""
    values_V = np.arange(_VALUES, dtype=np.uint8)
    grey = Image.fromarray(np.repeat(values_V[None, :, None], 3, axis=2))
    made = processor(images=[grey], do_resize=False, return_tensors="np")
    table_CV: NDArray[np.float32] = made["pixel_values"][0, :, 0]
    return table_CV


def to_device(pixels: torch.Tensor, device: torch.device, dtype: torch.dtype) -> torch.Tensor:
    """Return pixels on the model's device; the copy to a GPU does not wait for earlier work."""
    if device.type == "cuda":
        pixels = pixels.pin_memory()
    return pixels.to(device, dtype, non_blocking=True)
