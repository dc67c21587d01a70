"""A small model, its bundles, and what they are asked; the graphs are made once."""

import pytest

from shared.images.decoding import open_image
from tests.models import QUESTIONS, SHAPE, load_float, save_tiny_model
from trainer.export.bundle import Provenance, write_bundle, write_graphs
from trainer.export.families.blip import exportable_blip
from trainer.export.variants import Variant

ONE_LAYER = SHAPE.model_copy(update={"vision_layers": 1, "question_layers": 1})
"""The exporter takes seconds a layer."""


@pytest.fixture(scope="session")
def original(tmp_path_factory):
    return save_tiny_model(tmp_path_factory.mktemp("original") / "model", shape=ONE_LAYER)


@pytest.fixture(scope="session")
def bundles(tmp_path_factory, original):
    folder = tmp_path_factory.mktemp("bundles")
    exportable = exportable_blip(load_float(original))
    list(write_graphs(exportable, folder))
    provenance = Provenance("tiny", "r1", "")
    for variant in Variant:
        write_bundle(folder, exportable, variant, provenance, folder / variant)
    return folder


@pytest.fixture(scope="session")
def images(pictures):
    folder, pairs = pictures
    return [open_image(folder / name) for name in sorted({pair.filename for pair in pairs})[:8]]


@pytest.fixture(scope="session")
def asked(images):
    """Each question about each image, in an order in which images alternate."""
    return [(at, text) for text in QUESTIONS for at in range(len(images))]
