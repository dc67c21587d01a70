"""Makes torchvision importable beside a torch of another build.

A torchvision built for CUDA cannot load its operators next to a torch for CPUs, and fails at import
over two that nobody here calls. transformers imports torchvision wherever it is installed, so that
nothing would work. On an ordinary install nothing is done.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from typing import Final

import torch

_MISSING: Final = ("torchvision::nms", "torchvision::qnms")
_SCHEMA: Final = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


def declare_missing_operators() -> None:
    """Declare the operators that torchvision lacks, if it is installed and fails over them."""
    if importlib.util.find_spec("torchvision") is None:
        return
    try:
        importlib.import_module("torchvision")
    except RuntimeError as error:
        if _MISSING[0] not in str(error):
            raise
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        for operator in _MISSING:
            torch.library.define(operator, _SCHEMA)
        importlib.import_module("torchvision")
