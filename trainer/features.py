"""Image features of a frozen vision tower: computed once and kept on disk, or anew each time.

LoRA's default targets match nothing in BLIP's vision tower, so its outputs never change during a
run. They are kept as float16 in a memory-mapped file, one row of ``(L, D)`` an image.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import numpy as np
import structlog
import torch

from shared.progress import report_progress
from shared.vqa.blip.forward import encode_images
from shared.vqa.loading import LoadedModel
from shared.vqa.preprocessing import open_image, pixel_values

log = structlog.get_logger(__name__)

GIB = 2**30
ENCODE_BATCH = 32


class ImageFeatures(Protocol):
    """Looks up the features of images by file name."""

    def of(self, filenames: Sequence[str]) -> torch.Tensor:
        """Return features ``(B, L, D)`` on the model's device, one row for each name."""
        ...


class FreshFeatures:
    """Encodes the distinct images of each request; differentiable where the tower is trained."""

    def __init__(self, model: LoadedModel, images_dir: Path) -> None:
        self._model, self._images_dir = model, images_dir

    def of(self, filenames: Sequence[str]) -> torch.Tensor:
        """Return features ``(B, L, D)``; each distinct image is decoded and encoded once."""
        distinct = list(dict.fromkeys(filenames))
        rows = {name: row for row, name in enumerate(distinct)}
        with ThreadPoolExecutor() as pool:
            images = list(pool.map(lambda name: open_image(self._images_dir / name), distinct))
        pixels_NCHW = pixel_values(self._model.image_processor, images)
        blip = self._model.blip
        features_NLD = encode_images(blip, pixels_NCHW.to(self._model.device, blip.dtype))
        return features_NLD[torch.tensor([rows[name] for name in filenames])]


class StoredFeatures:
    """Serves features that were all encoded beforehand, from a file that vanishes with it."""

    def __init__(self, model: LoadedModel, images_dir: Path, filenames: Sequence[str]) -> None:
        self._rows = {name: row for row, name in enumerate(dict.fromkeys(filenames))}
        self._device, self._dtype = model.device, model.blip.dtype
        shape = (len(self._rows), *feature_shape(model))
        # The map alone keeps the nameless file alive; the space comes back when it is gone.
        with tempfile.TemporaryFile(prefix="abo-vqa-features-") as file:
            self._store = np.memmap(file, dtype=np.float16, mode="w+", shape=shape)
        fresh = FreshFeatures(model, images_dir)
        with report_progress("encoding images once", len(self._rows)) as progress:
            everything = list(self._rows)
            for first in range(0, len(everything), ENCODE_BATCH):
                names = everything[first : first + ENCODE_BATCH]
                encoded = fresh.of(names).detach().to("cpu", torch.float16).numpy()
                self._store[first : first + len(names)] = encoded
                progress.advance(len(names))

    def of(self, filenames: Sequence[str]) -> torch.Tensor:
        """Return features ``(B, L, D)`` read from the store.

        Raises:
            KeyError: a name was not among those encoded.
        """
        rows = self._store[[self._rows[name] for name in filenames]]
        return torch.from_numpy(rows).to(self._device, self._dtype)


def feature_shape(model: LoadedModel) -> tuple[int, int]:
    """Return ``(L, D)``: image tokens with the class token, and their width."""
    vision = model.blip.config.vision_config
    return (vision.image_size // vision.patch_size) ** 2 + 1, vision.hidden_size


def trains_vision(model: LoadedModel) -> bool:
    """Return whether training changes the vision tower, and with it every image's features."""
    return any(parameter.requires_grad for parameter in model.blip.vision_model.parameters())


def image_features(
    model: LoadedModel, images_dir: Path, filenames: Sequence[str], store_gib: float
) -> ImageFeatures:
    """Return stored features where they fit into ``store_gib`` and the vision tower is frozen.

    Elsewhere images are encoded anew for every batch, which is slower; the log says so.
    """
    if trains_vision(model):
        log.info("encoding images for every batch", reason="the vision tower is trained")
        return FreshFeatures(model, images_dir)
    tokens, width = feature_shape(model)
    needed = len(set(filenames)) * tokens * width * np.dtype(np.float16).itemsize
    if needed > store_gib * GIB:
        log.info(
            "encoding images for every batch",
            reason="feature_store_gib is too small",
            needed_gib=round(needed / GIB, 2),
        )
        return FreshFeatures(model, images_dir)
    return StoredFeatures(model, images_dir, filenames)
