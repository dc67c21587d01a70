"""What is known of the images that a model and its adapters were trained on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from shared.corpus import read_json
from shared.dataset.training_images import (
    TRAINING_IMAGES,
    TrainingImages,
    read_training_images,
    together,
)
from shared.onnx_vqa import MANIFEST, is_bundle
from shared.vqa.names.beside import beside_base


@dataclass(frozen=True)
class KnownTraining:
    """The images of all weights together; ``None`` where nothing is known of any of them.

    ``unknown`` names the adapters that say nothing of theirs, exported ones too.
    """

    images: TrainingImages | None
    unknown: tuple[Path, ...] = ()


def known_training(model: str, adapters: Iterable[Path] = ()) -> KnownTraining:
    """Read what lies beside a model's weights, in a folder or on a hub, and beside its adapters'.

    Raises:
        InputError: there is no such model, or a file is damaged.
    """
    trained = list(adapters)
    base = Path(model).expanduser()
    if not is_bundle(model) and (listed := beside_base(model, TRAINING_IMAGES)):
        base = listed.parent
    if is_bundle(model) and read_json(base / MANIFEST).get("adapter_sha256"):
        trained.append(base)
    images_of = {folder: read_training_images(folder) for folder in (base, *trained)}
    parts = [images for images in images_of.values() if images is not None]
    return KnownTraining(
        together(parts) if parts else None,
        tuple(folder for folder in trained if images_of[folder] is None),
    )
