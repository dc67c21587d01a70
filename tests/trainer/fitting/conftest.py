"""Data to train on, and a finished run."""

import pytest

from shared.program.settings import validated
from tests.trainer.recipes import fit_settings, write_data
from trainer.fitting.fit import fit
from trainer.recipe.recipe import FitRecipe


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_data(folder)
    return folder


@pytest.fixture(scope="session")
def finished(tmp_path_factory, data, tiny_model):
    """An uninterrupted run in 4 bit, with the AIM825 report's settings but for its size."""
    out = tmp_path_factory.mktemp("finished") / "adapter"
    settings = fit_settings(tiny_model, data, out=str(out), quantize="nf4")
    return fit(validated(FitRecipe, settings, source="test"), resume=False)
