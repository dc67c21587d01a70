"""A loaded tiny model and the pictures it is asked about."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from shared.images.decoding import open_image
from shared.vqa.loaded import LoadedModel
from tests.models import load_float


@pytest.fixture(scope="module")
def blip(tiny_model: Path) -> LoadedModel:
    return load_float(tiny_model)


@pytest.fixture(scope="module")
def images(pictures) -> list[Image.Image]:
    folder, pairs = pictures
    names = sorted({pair.filename for pair in pairs})[:4]
    return [open_image(folder / name) for name in names]
