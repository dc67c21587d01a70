"""Weights that are made of others keep what those know of their training images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from shared.dataset.training_images import write_training_images
from shared.program.reporting.event_log import EventLog
from shared.vqa.trained_on import known_training

log = EventLog(__name__)


def carry_training_images(base: str, adapters: Sequence[Path], folder: Path) -> None:
    """Write beside the weights in ``folder`` which images base and adapters were trained on.

    Where one of the adapters does not know its own, nothing is written: a part would be taken for
    the whole.

    Raises:
        InputError: what lies beside them is damaged.
    """
    training = known_training(base, adapters)
    if training.unknown:
        log.warning(
            "training_images_unknown",
            adapters=[str(adapter) for adapter in training.unknown],
            why="trained before they were kept; nothing will keep what is made here from being "
            "scored on them",
        )
    elif training.images is not None:
        write_training_images(training.images, folder)
