"""Features of a frozen image encoder: computed once and kept on disk, or anew each time.

LoRA's default targets match nothing in BLIP's vision tower, so its outputs never change: not during
a run, nor from one run to the next; what is kept of other families is the output of their frozen
parts. It is in float16, one safetensors file an image, found by what decides it: the model, how it
is held, and the image's bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from shared.files.atomic import atomic_path
from shared.files.digests import file_digest
from shared.files.locking import in_turn
from shared.images.decoding import large_pictures_in_turn, open_image
from shared.images.pixels import DECODER
from shared.program.reporting.event_log import EventLog
from shared.program.reporting.progress import report_progress
from trainer.data.gallery import ZOOM_MARGIN, augment
from trainer.learners.learner import Features, Learner

log = EventLog(__name__)

GIB = 2**30
LOCK_FILE = "encoding.lock"
SUFFIX = ".safetensors"
ENCODE_BATCH = 32
HEADER = 128
"""Bytes that safetensors writes before one tensor, rounded up."""


class ImageFeatures(Protocol):
    """Looks up the features of images by file name."""

    def of(self, filenames: Sequence[str]) -> Features:
        """Return the features of each name, on the model's device."""
        ...


class FreshFeatures:
    """Encodes the distinct images of each request; differentiable where the encoder is trained."""

    def __init__(self, learner: Learner[Any], images_dir: Path) -> None:
        self._learner, self._images_dir = learner, images_dir

    def of(self, filenames: Sequence[str]) -> Features:
        """Return features; each distinct image is decoded and encoded once."""
        distinct = list(dict.fromkeys(filenames))
        with ThreadPoolExecutor() as pool:
            pixels = list(pool.map(self._pixels, distinct))
        encoded = dict(zip(distinct, self._learner.encode(pixels), strict=True))
        return [encoded[name] for name in filenames]

    def _pixels(self, name: str) -> torch.Tensor:
        with large_pictures_in_turn():
            pixels_1CHW: torch.Tensor = self._learner.answerer.prepare(
                open_image(self._images_dir / name)
            )
        return pixels_1CHW


class AugmentedFeatures:
    """Encodes the distinct images of each request, zoomed, shifted and mirrored at random.

    The random numbers are torch's, which the loop seeds by the step.
    """

    def __init__(self, learner: Learner[Any], images_dir: Path) -> None:
        self._learner, self._images_dir = learner, images_dir

    def of(self, filenames: Sequence[str]) -> Features:
        """Return features; each distinct image is changed and encoded once."""
        distinct = list(dict.fromkeys(filenames))
        with ThreadPoolExecutor() as pool:
            pictures = list(pool.map(self._picture, distinct))
        seed = int(torch.randint(2**62, ()))
        random = np.random.default_rng(seed)
        changed = [augment(picture_1CHW, shape, random) for picture_1CHW, shape in pictures]
        encoded = self._learner.encode(list(map(self._learner.prepare_changed, changed)))
        of_name = dict(zip(distinct, encoded, strict=True))
        return [of_name[name] for name in filenames]

    def _picture(self, name: str) -> tuple[torch.Tensor, tuple[int, int]]:
        """Return a picture ``(1, C, H, W)`` larger than the input, and the input's shape."""
        with large_pictures_in_turn():
            image = open_image(self._images_dir / name)
            height, width = self._learner.input_shape(image)
            larger = round(width * ZOOM_MARGIN), round(height * ZOOM_MARGIN)
            resized = image.resize(larger, Image.Resampling.BICUBIC)
        picture_CHW = torch.from_numpy(np.array(resized)).permute(2, 0, 1)
        return picture_CHW[None], (height, width)


class StoredFeatures:
    """Serves features from the store, after encoding those images that it lacks."""

    def __init__(
        self, learner: Learner[Any], images_dir: Path, filenames: Sequence[str], store: Path
    ) -> None:
        self._learner = learner
        self._files = _files_of(learner, images_dir, filenames, store)
        # Runs that start at the same time would all encode the same images.
        with in_turn(store / _encoder_key(learner) / LOCK_FILE):
            self._encode_missing(FreshFeatures(learner, images_dir), store)

    def _encode_missing(self, fresh: FreshFeatures, store: Path) -> None:
        # One file serves images of the same bytes.
        missing = {file: name for name, file in self._files.items() if not file.is_file()}
        log.info(
            "encoding_images_once",
            features=self._learner.feature_source,
            images=len(self._files),
            stored_before=len(self._files) - len(missing),
            store=str(store),
        )
        todo = list(missing.items())
        with report_progress("encoding images once", len(todo)) as progress, torch.no_grad():
            for first in range(0, len(todo), ENCODE_BATCH):
                batch = todo[first : first + ENCODE_BATCH]
                encoded = fresh.of([name for _, name in batch])
                for (file, _), image in zip(batch, encoded, strict=True):
                    tensors = self._learner.tensors_of(image)
                    with atomic_path(file) as part:
                        save_file({name: _stored(value) for name, value in tensors.items()}, part)
                progress.advance(len(batch))

    def of(self, filenames: Sequence[str]) -> Features:
        """Return features read from the store.

        Raises:
            KeyError: a name was not among those encoded.
        """
        return [self._read(self._files[name]) for name in filenames]

    def _read(self, file: Path) -> object:
        model = self._learner.model
        tensors = {
            name: value.to(model.device, model.network.dtype if value.is_floating_point() else None)
            for name, value in load_file(file).items()
        }
        return self._learner.image_of(tensors)


def _stored(tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor as it is stored: fractions in half the bits, where these hold them."""
    tensor = tensor.detach().to("cpu").contiguous()
    if not tensor.is_floating_point():
        return tensor
    half = tensor.half()
    return half if half.isfinite().all() else tensor.float()


@dataclass(frozen=True)
class RunFeatures:
    """Where a run takes images from: for training, and, never augmented, for the held-out pairs."""

    training: ImageFeatures
    held_out: ImageFeatures


def image_features(
    learner: Learner[Any],
    images_dir: Path,
    *,
    training: Sequence[str],
    held_out: Sequence[str],
    augmented: bool,
    store: Path,
    store_gib: float,
) -> RunFeatures:
    """Return stored features where the image encoder is frozen and ``store_gib`` holds them.

    Elsewhere images are encoded anew for every batch, which is slower; the log says why.
    """
    if learner.trains_image_encoder:
        log.info("encoding_images_for_every_batch", reason="what encodes them is trained")
        fresh = FreshFeatures(learner, images_dir)
        changed = AugmentedFeatures(learner, images_dir) if augmented else fresh
        return RunFeatures(changed, fresh)
    if augmented:
        log.info("encoding_images_for_every_batch", reason="images are augmented")
        served = _stored_or_fresh(learner, images_dir, held_out, store, store_gib)
        return RunFeatures(AugmentedFeatures(learner, images_dir), served)
    served = _stored_or_fresh(learner, images_dir, [*training, *held_out], store, store_gib)
    return RunFeatures(served, served)


def _stored_or_fresh(
    learner: Learner[Any], images_dir: Path, filenames: Sequence[str], store: Path, store_gib: float
) -> ImageFeatures:
    distinct = list(dict.fromkeys(filenames))
    each = learner.stored_bytes([images_dir / name for name in distinct]) + HEADER
    needed, limit = len(distinct) * each, store_gib * GIB
    if needed > limit:
        log.info(
            "encoding_images_for_every_batch",
            reason="feature_store_gib is too small",
            needed_gib=round(needed / GIB, 2),
        )
        return FreshFeatures(learner, images_dir)
    _make_room(store, set(_files_of(learner, images_dir, filenames, store).values()), each, limit)
    return StoredFeatures(learner, images_dir, filenames, store)


def _files_of(
    learner: Learner[Any], images_dir: Path, filenames: Sequence[str], store: Path
) -> dict[str, Path]:
    """Return the store's file for each image, whether it is there or not."""
    folder = store / _encoder_key(learner)
    return {
        name: folder / f"{file_digest(images_dir / name)}{SUFFIX}"
        for name in dict.fromkeys(filenames)
    }


def _encoder_key(learner: Learner[Any]) -> str:
    """Return a name for all that decides an image's features but the image."""
    model = learner.model
    facts = {
        "model": model.revision,
        "quantization": model.quantization.value,
        "computed in": str(model.network.dtype),
        "kept": learner.feature_source,
        "preprocessing": model.image_processor.to_dict(),
        "decoder": DECODER,
    }
    text = json.dumps(facts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _make_room(store: Path, wanted: set[Path], each: int, limit: float) -> None:
    """Delete what was used longest ago, of other runs, until ``wanted`` fits into ``limit`` bytes.

    What is wanted and there already counts as used now.
    """
    others = []
    for file in store.glob(f"*/*{SUFFIX}"):
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
