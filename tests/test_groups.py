"""Tests that share what takes long to make run in one worker, or it is made in each."""

import pytest


@pytest.mark.xdist_group("itself")
def test_what_is_grouped_is_sent_to_one_worker(request):
    # pytest-xdist sends by the end of a test's name, which pytest 9.2.0 does not let it set.
    if not request.config.getoption("loadgroup", default=False):
        pytest.skip("not run by --dist loadgroup")
    assert request.node.nodeid.endswith("@itself")
