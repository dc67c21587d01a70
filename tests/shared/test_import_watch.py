"""A module that is watched for is found as Python would find it, and loaded in our way."""

from __future__ import annotations

import importlib
import sys

import pytest

from shared.import_watch import watch_for


class OldFinder:
    """As six had one until 1.16, of which many packages have copies."""

    def find_module(self, name, path=None):
        return None


@pytest.fixture
def finders(monkeypatch):
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, OldFinder()])
    return sys.meta_path


@pytest.mark.filterwarnings("ignore::ImportWarning")
def test_one_that_is_nowhere_is_not_found_whatever_finders_there_are(finders):
    watch_for("in_no_place", lambda own, module: own.exec_module(module))
    with pytest.raises(ModuleNotFoundError, match="in_no_place"):
        importlib.import_module("in_no_place")


def test_one_is_loaded_by_what_was_given_and_again_where_it_is_reloaded(
    finders, tmp_path, monkeypatch
):
    loaded = []

    def load(own, module):
        loaded.append(module.__name__)
        own.exec_module(module)

    (tmp_path / "watched_for.py").write_text("found = True\n")
    monkeypatch.syspath_prepend(tmp_path)
    watch_for("watched_for", load)
    watch_for("watched_for", load)
    module = importlib.import_module("watched_for")
    monkeypatch.setitem(sys.modules, "watched_for", module)
    importlib.reload(module)
    assert module.found
    assert loaded == ["watched_for", "watched_for"]
