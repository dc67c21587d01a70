"""Makes torchvision importable beside a torch of another build, whoever imports it first.

A torchvision built for CUDA cannot load its operators next to a torch for CPUs, and fails at import
over two that nobody here calls. transformers and open_clip import torchvision wherever it is
installed, so that nothing would work. On an ordinary install nothing is declared.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Final

_NAME: Final = "torchvision"
_MISSING: Final = ("torchvision::nms", "torchvision::qnms")
_SCHEMA: Final = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


class _Finder(MetaPathFinder):
    """Finds torchvision where Python would, and lets it be loaded by ``_Loader``."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != _NAME:
            return None
        others = [finder for finder in sys.meta_path if finder is not self]
        specs = (finder.find_spec(fullname, path, target) for finder in others)
        spec = next(filter(None, specs), None)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)
        return spec


class _Loader(Loader):
    """Loads torchvision, a second time with its operators declared if it fails over them."""

    def __init__(self, own: Loader) -> None:
        self._own = own

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._own.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        try:
            self._own.exec_module(module)
        except RuntimeError as error:
            if _MISSING[0] not in str(error):
                raise
            for name in [name for name in sys.modules if name.startswith(f"{_NAME}.")]:
                del sys.modules[name]
            torch = importlib.import_module("torch")
            for operator in _MISSING:
                torch.library.define(operator, _SCHEMA)
            self._own.exec_module(module)

    def __getattr__(self, name: str) -> object:
        """Give what else is asked of a loader, such as resources, from torchvision's own."""
        return getattr(self._own, name)


def watch_for_torchvision() -> None:
    """Have torchvision loaded so, from now on in this process."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
