"""Has a module of a library loaded in a way of ours, whoever imports it first."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

Load = Callable[[Loader, ModuleType], None]
"""Runs a module's code by the loader that Python found for it."""


def watch_for(name: str, load: Load) -> None:
    """Have the module ``name`` loaded by ``load``, from now on in this process."""
    if not any(isinstance(finder, _Finder) and finder.name == name for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder(name, load))


class _Finder(MetaPathFinder):
    """Finds one module where Python would."""

    def __init__(self, name: str, load: Load) -> None:
        self.name = name
        self._load = load

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self.name:
            return None
        # Finders of long ago, as copies of six within other packages have them, find no spec.
        others = [each for each in sys.meta_path if each is not self and hasattr(each, "find_spec")]
        specs = (finder.find_spec(fullname, path, target) for finder in others)
        spec = next(filter(None, specs), None)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, self._load)
        return spec


class _Loader(Loader):
    def __init__(self, own: Loader, load: Load) -> None:
        self._own = own
        self._load = load

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._own.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._load(self._own, module)

    def __getattr__(self, name: str) -> object:
        """Give what else is asked of a loader, such as resources, from the module's own."""
        return getattr(self._own, name)
