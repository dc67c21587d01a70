"""How a picture becomes pixels, as rules that ``shared.onnx_vqa.pictures`` follows."""

from __future__ import annotations

from typing import Any

from transformers import BaseImageProcessor, ViltImageProcessorPil
from transformers.image_processing_backends import TorchvisionBackend
from transformers.models.vilt.image_processing_pil_vilt import MAX_LONGER_EDGE, MAX_SHORTER_EDGE

from shared.errors import InputError


def image_rules(processor: BaseImageProcessor) -> dict[str, Any]:
    """Return how a picture becomes pixels, for the runtime.

    Raises:
        InputError: not by resizing to one size, by shortest side and crop or as ViLT does, and then
            rescaling and normalising.
    """
    steps = (processor.do_resize, processor.do_rescale, processor.do_normalize)
    pads = getattr(processor, "do_pad", False) and not isinstance(processor, ViltImageProcessorPil)
    sizes = _sizes(processor) if all(steps) and not pads else None
    if sizes is None:
        raise InputError(
            "the model's image processor does not resize to one size, rescale and normalise, and "
            "nothing else is exported; see its preprocessor_config.json"
        )
    return {
        **sizes,
        # Pillow 13 begins a tall picture with its columns, torchvision none.
        **({"rows_first": True} if isinstance(processor, TorchvisionBackend) else {}),
        "resample": int(processor.resample),
        "rescale": processor.rescale_factor,
        "mean": list(processor.image_mean),
        "std": list(processor.image_std),
    }


def _sizes(processor: BaseImageProcessor) -> dict[str, Any] | None:
    size, crop = processor.size, getattr(processor, "crop_size", None)
    crops = bool(getattr(processor, "do_center_crop", False))
    if size.height and size.width and not crops:
        return {"height": size.height, "width": size.width}
    shortest = size.shortest_edge
    if not shortest or size.longest_edge:
        return None
    if isinstance(processor, ViltImageProcessorPil):
        longest = int(MAX_LONGER_EDGE / MAX_SHORTER_EDGE * shortest)
        return {"shortest": shortest, "longest": longest, "divisor": processor.size_divisor}
    if crops and crop is not None and max(crop.height, crop.width) <= shortest:
        return {"shortest": shortest, "crop": [crop.height, crop.width]}
    return None
