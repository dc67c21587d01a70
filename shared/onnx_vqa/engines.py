"""What runs a graph: onnxruntime, or OpenVINO where a bundle was made for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from shared.onnx_vqa.manifest import engine_of


class Graph(Protocol):
    """A graph that runs: what onnxruntime calls a session."""

    def run(self, names: list[str], inputs: dict[str, Any], /) -> list[Any]:
        """Return the outputs of those names."""


def loaded_graphs(folder: Path, manifest: Mapping[str, Any], threads: int) -> dict[str, Graph]:
    """Return a bundle's graphs by name; ``threads`` are those of each product, 0 for one a core."""
    load = _OpenVinoGraph if engine_of(manifest) == "openvino" else _session
    providers = manifest.get("providers", ())
    return {
        name: load(folder / file, threads, providers) for name, file in manifest["graphs"].items()
    }


def _session(path: Path, threads: int, wished: Sequence[str]) -> Graph:
    """Load a graph for the first of the wished providers that is installed, else the CPU."""
    import onnxruntime  # noqa: PLC0415 (of two engines a bundle needs one)

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    there = onnxruntime.get_available_providers()
    providers = [*(name for name in wished if name in there), "CPUExecutionProvider"]
    session: Graph = onnxruntime.InferenceSession(path, options, providers=providers)
    return session


class _OpenVinoGraph:
    def __init__(self, path: Path, threads: int, _: Sequence[str]) -> None:
        import openvino  # noqa: PLC0415 (of two engines a bundle needs one)

        # Some processors would compute in fewer bits unless told.
        settings: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": "f32",
            "PERFORMANCE_HINT": "LATENCY",
        }
        if threads:
            settings["INFERENCE_NUM_THREADS"] = threads
        self._graph = openvino.Core().compile_model(path, "CPU", settings)

    def run(self, names: list[str], inputs: dict[str, Any], /) -> list[Any]:
        results = self._graph(inputs)
        # The memory of results is used again by the next call.
        return [np.array(results[name]) for name in names]
