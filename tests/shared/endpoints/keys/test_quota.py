from __future__ import annotations

import pytest

from shared.endpoints.keys.quota import Quota


def test_the_smaller_limit_wins_each_by_itself() -> None:
    left, right = Quota(rpm=10, tpm=None, rpd=250), Quota(rpm=15, tpm=1000, rpd=20)
    assert left.tightened(right) == Quota(rpm=10, tpm=1000, rpd=20)


def test_a_limit_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="rpd"):
        Quota(rpd=0)
