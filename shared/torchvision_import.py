"""Makes torchvision importable beside a torch of another build, whoever imports it first.

A torchvision built for CUDA cannot load its operators next to a torch for CPUs, and fails at import
over two that nobody here calls. transformers and open_clip import torchvision wherever it is
installed, so that nothing would work. On an ordinary install nothing is declared.
"""

from __future__ import annotations

import importlib
import sys
from importlib.abc import Loader
from types import ModuleType
from typing import Final

from shared.import_watch import watch_for

_NAME: Final = "torchvision"
_MISSING: Final = ("torchvision::nms", "torchvision::qnms")
_SCHEMA: Final = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


def watch_for_torchvision() -> None:
    """Have torchvision loaded so, from now on in this process."""
    watch_for(_NAME, _load)


def _load(own: Loader, module: ModuleType) -> None:
    """Load torchvision, a second time with its operators declared if it fails over them."""
    try:
        own.exec_module(module)
    except RuntimeError as error:
        if _MISSING[0] not in str(error):
            raise
        for name in [name for name in sys.modules if name.startswith(f"{_NAME}.")]:
            del sys.modules[name]
        torch = importlib.import_module("torch")
        for operator in _MISSING:
            torch.library.define(operator, _SCHEMA)
        own.exec_module(module)
