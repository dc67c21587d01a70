"""The graphs in OpenVINO's own format, with their weights as a variant says.

Source: OpenVINO 2026.4, "Weight compression" (``nncf.compress_weights``), "Model serialization".
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, Final

import onnx

from shared.onnx_vqa.engines import openvino_unreported
from trainer.export.quiet import quiet_logging
from trainer.export.variants import Variant, block_size

SUFFIX: Final = ".xml"
"""Of the graph; its weights are in a file of the same name that ends with ``.bin``."""

_NO_TELEMETRY: Final = "NNCF_CI"
"""nncf 3.4 reports each use to its makers, and keeps a number for it in the user's home, unless
this variable is set while it is imported (``nncf/telemetry/wrapper.py``)."""


def write_openvino(source: Path, variant: Variant, target: Path) -> None:
    """Write the float32 ONNX graph at ``source`` for OpenVINO: ``target`` and its weights.

    It is read anew for each variant, for nncf 3.4 compresses the graph itself that it is given.
    """
    openvino = openvino_unreported()
    graph = openvino.Core().read_model(source)
    match variant:
        case Variant.INT8:
            with _quiet_nncf() as nncf:
                graph = nncf.compress_weights(graph, mode=nncf.CompressWeightsMode.INT8_ASYM)
        case Variant.INT4:
            with _quiet_nncf() as nncf:
                graph = nncf.compress_weights(
                    graph,
                    mode=nncf.CompressWeightsMode.INT4_ASYM,
                    group_size=block_size(onnx.load(source)),
                    all_layers=True,
                )
    openvino.save_model(graph, target, compress_to_fp16=variant is not Variant.FLOAT32)


@contextmanager
def _quiet_nncf() -> Iterator[Any]:
    """Yield nncf without its reports to its makers, its tables and its bars."""
    before = os.environ.get(_NO_TELEMETRY)
    os.environ[_NO_TELEMETRY] = "1"
    try:
        with quiet_logging(), redirect_stdout(StringIO()):
            import nncf  # noqa: PLC0415 (an extra)

            yield nncf
    finally:
        if before is None:
            del os.environ[_NO_TELEMETRY]
        else:
            os.environ[_NO_TELEMETRY] = before
