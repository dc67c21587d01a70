"""What the tests of every family share."""

import pytest

from tests.trainer.learners.families import SAVED


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("families")
    return {name: save(root / name) for name, save in SAVED.items()}
