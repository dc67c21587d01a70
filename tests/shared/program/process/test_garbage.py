"""Nobody is kept waiting while Python looks through what stays to the end anyway."""

from __future__ import annotations

import gc
import weakref

import pytest

from shared.program.process.garbage import garbage_left_alone, leave_alone_what_stays


class Ring:
    """Garbage that only a search finds."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def _nothing_stays_frozen():
    yield
    gc.unfreeze()


def test_what_is_loaded_is_not_looked_at_again_and_what_was_garbage_before_goes() -> None:
    ring, kept = weakref.ref(Ring()), Ring()
    leave_alone_what_stays()
    assert ring() is None
    assert all(each is not kept for each in gc.get_objects())


def test_nothing_is_looked_for_in_the_block_and_the_search_goes_on_after_it() -> None:
    with garbage_left_alone():
        assert not gc.isenabled()
        made = Ring()
    assert gc.isenabled()
    assert all(each is not made for each in gc.get_objects())
