"""Training pictures in memory, and their augmentation."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from PIL import Image
from torch.nn.functional import affine_grid, grid_sample, interpolate

from shared.images.decoding import large_pictures_in_turn, open_image
from shared.program.reporting.progress import report_progress
from shared.records import QAPair
from shared.records.grouping import by_image

ZOOM_MARGIN = 1.25
"""Training pictures are kept this much larger than the input, so that crops stay sharp."""

_TOGETHER: Final = 64

MIRRORED: Final = 0.5
"""The share of pictures that `augment` of a fit turns left to right."""


@dataclass(frozen=True)
class Gallery:
    """The training pictures in memory: ``(N, C, H, W)`` of uint8, and the questions of each."""

    pictures_NCHW: torch.Tensor
    questions: Sequence[Sequence[QAPair]]

    def smaller(self, side: int) -> Gallery:
        """Return it with pictures of ``side`` pixels, if they have more."""
        count, channels, before, _ = self.pictures_NCHW.shape
        if before <= side:
            return self
        pictures_NCHW = torch.empty((count, channels, side, side), dtype=torch.uint8)
        for first in range(0, count, _TOGETHER):
            some_NCHW = self.pictures_NCHW[first : first + _TOGETHER].float()
            resized_NCHW = interpolate(some_NCHW, (side, side), mode="bicubic", antialias=True)
            whole_NCHW = resized_NCHW.round().clamp(0, 255)
            pictures_NCHW[first : first + _TOGETHER] = whole_NCHW.to(torch.uint8)
        return Gallery(pictures_NCHW, self.questions)


def load_gallery(pairs: Sequence[QAPair], images_dir: Path, side: int) -> Gallery:
    """Decode and resize every image of ``pairs`` to ``side`` pixels, once."""
    questions = by_image(pairs)
    names = sorted(questions)
    pictures = torch.empty((len(names), 3, side, side), dtype=torch.uint8)

    def decode(name: str) -> np.ndarray:
        with large_pictures_in_turn():
            image = open_image(images_dir / name).resize((side, side), Image.Resampling.BICUBIC)
        return np.asarray(image)

    with ThreadPoolExecutor() as pool, report_progress("images", len(names)) as progress:
        for index, picture in enumerate(pool.map(decode, names)):
            pictures[index] = torch.from_numpy(picture.copy()).permute(2, 0, 1)
            progress.advance()
    return Gallery(pictures, [questions[name] for name in names])


def augment(
    pictures_NCHW: torch.Tensor,
    shape: tuple[int, int],
    random: np.random.Generator,
    mirrored: float = MIRRORED,
) -> torch.Tensor:
    """Zoom and shift uint8 pictures at random; return ``(N, C, *shape)`` in [0, 1].

    A share of them, ``mirrored``, is turned left to right as well.
    """
    return cut_out(pictures_NCHW, crops(len(pictures_NCHW), random, mirrored), shape)


def crops(
    count: int, random: np.random.Generator, mirrored: float, closest: float = 0.75
) -> torch.Tensor:
    """Draw what to zoom and shift pictures by, ``(N, 2, 3)``; a share is mirrored as well.

    ``closest`` is the smallest side of what is cut out, as a share of a picture's.
    """
    zoom = random.uniform(closest, 1.05, count)
    stretch = np.exp(random.uniform(-0.1, 0.1, count))
    mirror = np.where(random.random(count) < mirrored, -1.0, 1.0)
    theta = np.zeros((count, 2, 3), dtype=np.float32)
    theta[:, 0, 0] = zoom * stretch * mirror
    theta[:, 1, 1] = zoom / stretch
    slack = np.maximum(0.05, 1 - zoom)
    theta[:, 0, 2] = random.uniform(-1, 1, count) * slack
    theta[:, 1, 2] = random.uniform(-1, 1, count) * slack
    return torch.from_numpy(theta)


def cut_out(
    pictures_NCHW: torch.Tensor, theta_N23: torch.Tensor, shape: tuple[int, int]
) -> torch.Tensor:
    """Return what ``crops`` drew of uint8 pictures, ``(N, C, *shape)`` in [0, 1]."""
    size = [len(pictures_NCHW), pictures_NCHW.shape[1], *shape]
    grid = affine_grid(theta_N23.to(pictures_NCHW.device), size, align_corners=False)
    pictures = pictures_NCHW.float() / 255
    return grid_sample(pictures, grid, padding_mode="border", align_corners=False)
