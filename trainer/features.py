"""Image features of a frozen vision tower: computed once and kept on disk, or anew each time.

LoRA's default targets match nothing in BLIP's vision tower, so its outputs never change: not during
a run, nor from one run to the next. They are kept as float16 ``(L, D)``, one memory-mapped file an
image, found by what decides them: the model, how it is held, and the image's bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import structlog
import torch
from PIL import Image

from shared.atomic import atomic_path
from shared.corpus import file_digest
from shared.image_files import open_image
from shared.progress import report_progress
from shared.vqa.blip.forward import encode_images
from shared.vqa.loading import LoadedModel
from shared.vqa.preprocessing import pixel_values
from trainer.gallery import ZOOM_MARGIN, augment

log = structlog.get_logger(__name__)

GIB = 2**30
ENCODE_BATCH = 32
NPY_HEADER = 128
"""Bytes that numpy writes before an array of so few dimensions."""


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


class AugmentedFeatures:
    """Encodes the distinct images of each request, zoomed, shifted and mirrored at random.

    The random numbers are torch's, which the loop seeds by the step.
    """

    def __init__(self, model: LoadedModel, images_dir: Path) -> None:
        self._model, self._images_dir = model, images_dir
        processor = model.image_processor
        self._mean = torch.tensor(processor.image_mean).view(1, 3, 1, 1)
        self._std = torch.tensor(processor.image_std).view(1, 3, 1, 1)

    def of(self, filenames: Sequence[str]) -> torch.Tensor:
        """Return features ``(B, L, D)``; each distinct image is changed and encoded once."""
        distinct = list(dict.fromkeys(filenames))
        rows = {name: row for row, name in enumerate(distinct)}
        with ThreadPoolExecutor() as pool:
            pictures_NCHW = torch.stack(list(pool.map(self._picture, distinct)))
        seed = int(torch.randint(2**62, ()))
        side = self._model.blip.config.vision_config.image_size
        pixels_NCHW = augment(pictures_NCHW, side, np.random.default_rng(seed))
        pixels_NCHW = (pixels_NCHW - self._mean) / self._std
        blip = self._model.blip
        features_NLD = encode_images(blip, pixels_NCHW.to(self._model.device, blip.dtype))
        return features_NLD[torch.tensor([rows[name] for name in filenames])]

    def _picture(self, name: str) -> torch.Tensor:
        side = round(self._model.blip.config.vision_config.image_size * ZOOM_MARGIN)
        image = open_image(self._images_dir / name)
        resized = image.resize((side, side), Image.Resampling.BICUBIC)
        return torch.from_numpy(np.array(resized)).permute(2, 0, 1)


class StoredFeatures:
    """Serves features from the store, after encoding those images that it lacks."""

    def __init__(
        self, model: LoadedModel, images_dir: Path, filenames: Sequence[str], store: Path
    ) -> None:
        self._device, self._dtype = model.device, model.blip.dtype
        self._files = _files_of(model, images_dir, filenames, store)
        # One file serves images of the same bytes.
        missing = {file: name for name, file in self._files.items() if not file.is_file()}
        log.info(
            "encoding images once",
            images=len(self._files),
            stored_before=len(self._files) - len(missing),
            store=str(store),
        )
        fresh = FreshFeatures(model, images_dir)
        todo = list(missing.items())
        with report_progress("encoding images once", len(todo)) as progress, torch.no_grad():
            for first in range(0, len(todo), ENCODE_BATCH):
                batch = todo[first : first + ENCODE_BATCH]
                encoded = fresh.of([name for _, name in batch])
                for (file, _), features_LD in zip(batch, encoded, strict=True):
                    with atomic_path(file) as part, part.open("wb") as stream:
                        np.save(stream, features_LD.to("cpu", torch.float16).numpy())
                progress.advance(len(batch))

    def of(self, filenames: Sequence[str]) -> torch.Tensor:
        """Return features ``(B, L, D)`` read from the store.

        Raises:
            KeyError: a name was not among those encoded.
        """
        rows = [np.load(self._files[name], mmap_mode="r") for name in filenames]
        return torch.from_numpy(np.stack(rows)).to(self._device, self._dtype)


@dataclass(frozen=True)
class RunFeatures:
    """Where a run takes images from: for training, and, never augmented, for the held-out pairs."""

    training: ImageFeatures
    held_out: ImageFeatures


def feature_shape(model: LoadedModel) -> tuple[int, int]:
    """Return ``(L, D)``: image tokens with the class token, and their width."""
    vision = model.blip.config.vision_config
    return (vision.image_size // vision.patch_size) ** 2 + 1, vision.hidden_size


def trains_vision(model: LoadedModel) -> bool:
    """Return whether training changes the vision tower, and with it every image's features."""
    return any(parameter.requires_grad for parameter in model.blip.vision_model.parameters())


def image_features(
    model: LoadedModel,
    images_dir: Path,
    *,
    training: Sequence[str],
    held_out: Sequence[str],
    augmented: bool,
    store: Path,
    store_gib: float,
) -> RunFeatures:
    """Return stored features where the vision tower is frozen and ``store_gib`` holds them.

    Elsewhere images are encoded anew for every batch, which is slower; the log says why.
    """
    if trains_vision(model):
        log.info("encoding images for every batch", reason="the vision tower is trained")
        fresh = FreshFeatures(model, images_dir)
        changed = AugmentedFeatures(model, images_dir) if augmented else fresh
        return RunFeatures(changed, fresh)
    if augmented:
        log.info("encoding images for every batch", reason="images are augmented")
        kept = _stored_or_fresh(model, images_dir, held_out, store, store_gib)
        return RunFeatures(AugmentedFeatures(model, images_dir), kept)
    kept = _stored_or_fresh(model, images_dir, [*training, *held_out], store, store_gib)
    return RunFeatures(kept, kept)


def _stored_or_fresh(
    model: LoadedModel, images_dir: Path, filenames: Sequence[str], store: Path, store_gib: float
) -> ImageFeatures:
    tokens, width = feature_shape(model)
    each = tokens * width * np.dtype(np.float16).itemsize + NPY_HEADER
    needed, limit = len(set(filenames)) * each, store_gib * GIB
    if needed > limit:
        log.info(
            "encoding images for every batch",
            reason="feature_store_gib is too small",
            needed_gib=round(needed / GIB, 2),
        )
        return FreshFeatures(model, images_dir)
    _make_room(store, set(_files_of(model, images_dir, filenames, store).values()), each, limit)
    return StoredFeatures(model, images_dir, filenames, store)


def _files_of(
    model: LoadedModel, images_dir: Path, filenames: Sequence[str], store: Path
) -> dict[str, Path]:
    """Return the store's file for each image, whether it is there or not."""
    folder = store / _model_key(model)
    return {
        name: folder / f"{file_digest(images_dir / name)}.npy" for name in dict.fromkeys(filenames)
    }


def _model_key(model: LoadedModel) -> str:
    """Return a name for all that decides an image's features but the image."""
    facts = {
        "model": model.revision,
        "quantization": model.quantization.value,
        "computed in": str(model.blip.dtype),
        "shape": feature_shape(model),
        "preprocessing": model.image_processor.to_dict(),
    }
    text = json.dumps(facts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _make_room(store: Path, wanted: set[Path], each: int, limit: float) -> None:
    """Delete what was used longest ago, of other runs, until ``wanted`` fits into ``limit`` bytes.

    What is wanted and there already counts as used now.
    """
    others = []
    for file in store.glob("*/*.npy"):
        if file in wanted:
            file.touch()
        else:
            facts = file.stat()
            others.append((facts.st_mtime, facts.st_size, file))
    excess = len(wanted) * each + sum(size for _, size, _ in others) - limit
    for _, size, file in sorted(others):
        if excess <= 0:
            break
        file.unlink(missing_ok=True)
        excess -= size
