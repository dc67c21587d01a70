"""Versions are told of what is installed."""

import numpy as np

from shared.program.versions import installed_versions


def test_what_is_not_installed_is_left_out():
    assert installed_versions(["no-such-package", "numpy"]) == {"numpy": np.__version__}
