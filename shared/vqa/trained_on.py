"""What is known of the images that a model and its adapters were trained on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from shared.training_images import TrainingImages, read_training_images, together
from shared.vqa.loading import resolve_model


@dataclass(frozen=True)
class KnownTraining:
    """The images of all weights together; ``None`` where nothing is known of any of them.

    ``unknown`` names the adapters that say nothing of theirs.
    """

    images: TrainingImages | None
    unknown: tuple[Path, ...] = ()


def known_training(model: str | None, adapters: Iterable[Path] = ()) -> KnownTraining:
    """Read what lies beside a model's weights, where it is a folder, and beside its adapters'.

    Raises:
        InputError: there is no such model folder, or a file is damaged.
    """
    folders = list(adapters)
    known = [read_training_images(folder) for folder in folders]
    unknown = tuple(f for f, images in zip(folders, known, strict=True) if images is None)
    if model is not None:
        known.append(read_training_images(Path(resolve_model(model))))
    parts = [images for images in known if images is not None]
    return KnownTraining(together(parts) if parts else None, unknown)
