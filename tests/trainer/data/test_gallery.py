"""Pictures are mirrored as often as a recipe says."""

import numpy as np
import torch

from trainer.data.gallery import augment


def brighter_sides(mirrored: float) -> set[str]:
    """The sides on which pictures, bright on the left, come out brighter."""
    pictures_NCHW = torch.zeros(40, 3, 20, 20, dtype=torch.uint8)
    pictures_NCHW[..., :8] = 255
    changed = augment(pictures_NCHW, (16, 16), np.random.default_rng(0), mirrored)
    left, right = changed[..., :8].mean((1, 2, 3)), changed[..., 8:].mean((1, 2, 3))
    return {"left" if left > right else "right" for left, right in zip(left, right, strict=True)}


def test_pictures_are_mirrored_never_always_or_by_chance():
    assert brighter_sides(0.0) == {"left"}
    assert brighter_sides(1.0) == {"right"}
    assert brighter_sides(0.5) == {"left", "right"}
