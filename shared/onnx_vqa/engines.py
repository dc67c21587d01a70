"""What runs a graph: onnxruntime, or OpenVINO or LiteRT where a bundle was made for it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from shared.onnx_vqa.manifest import MANIFEST, BundleError, engine_of


class Graph(Protocol):
    """A graph that runs: what onnxruntime calls a session."""

    def run(self, names: list[str], inputs: dict[str, Any], /) -> list[Any]:
        """Return the outputs of those names."""


def loaded_graphs(folder: Path, manifest: Mapping[str, Any], threads: int) -> dict[str, Graph]:
    """Return a bundle's graphs by name; ``threads`` are those of each product, 0 for one a core."""
    return {
        name: _Told(folder / file, manifest, name, threads)
        for name, file in manifest["graphs"].items()
    }


class _Told:
    """A graph whose engine's errors, which have no class in common, are told as the bundle's."""

    def __init__(self, path: Path, manifest: Mapping[str, Any], name: str, threads: int) -> None:
        self._path = path
        try:
            self._graph = _loaded(path, manifest, name, threads)
        except ImportError:
            raise
        except Exception as error:
            raise BundleError(f"{path}: cannot be loaded ({_line(error)})") from error

    def run(self, names: list[str], inputs: dict[str, Any], /) -> list[Any]:
        try:
            return self._graph.run(names, inputs)
        except Exception as error:
            raise BundleError(
                f"{self._path}: does not run as {MANIFEST} says ({_line(error)})"
            ) from error


def _line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _loaded(path: Path, manifest: Mapping[str, Any], name: str, threads: int) -> Graph:
    match engine_of(manifest):
        case "litert":
            return _LiteRtGraph(path, threads, manifest["outputs"][name])
        case "openvino":
            return _OpenVinoGraph(path, threads)
        case _:
            return _session(path, threads, manifest.get("providers", ()))


def _session(path: Path, threads: int, wished: Sequence[str]) -> Graph:
    """Load a graph for the first of the wished providers that is installed, else the CPU."""
    import onnxruntime  # noqa: PLC0415 (of the engines a bundle needs one)

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # Each graph has threads of its own, which else go on looking for work after the graph's end and
    # take the cores from the next graph: on two cores an answer took twice as long as by one thread
    # (blip-vqa-tiny in int8, onnxruntime 1.32.0).
    options.add_session_config_entry("session.force_spinning_stop", "1")
    # What goes wrong is in the error.
    options.log_severity_level = 4
    there = onnxruntime.get_available_providers()
    providers = [*(name for name in wished if name in there), "CPUExecutionProvider"]
    session: Graph = onnxruntime.InferenceSession(path, options, providers=providers)
    return session


def openvino_unreported() -> Any:  # noqa: ANN401 (a module)
    """Return OpenVINO, without a number for this user and reports to its makers.

    Its import alone (2026.4.1, by openvino-telemetry 2025.2.0) keeps such a number in the user's
    home, unless it finds itself in CI. Whether it does is asked for once.
    """
    before = os.environ.get("CI")
    os.environ["CI"] = "true"
    try:
        import openvino  # noqa: PLC0415 (of the engines a bundle needs one)
    finally:
        if before is None:
            del os.environ["CI"]
        else:
            os.environ["CI"] = before
    return openvino


class _OpenVinoGraph:
    def __init__(self, path: Path, threads: int) -> None:
        openvino = openvino_unreported()
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


class _LiteRtGraph:
    def __init__(self, path: Path, threads: int, outputs: Sequence[str]) -> None:
        from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415 (as above)

        self._interpreter = Interpreter(
            model_path=str(path), num_threads=threads or os.cpu_count() or 1
        )
        self._graph = self._interpreter.get_signature_runner()
        self._types = {
            name: detail["dtype"] for name, detail in self._graph.get_input_details().items()
        }
        # The converter numbers what a graph returns.
        self._outputs = {name: f"output_{number}" for number, name in enumerate(outputs)}

    def run(self, names: list[str], inputs: dict[str, Any], /) -> list[Any]:
        results = self._graph(
            **{name: value.astype(self._types[name], copy=False) for name, value in inputs.items()}
        )
        return [results[self._outputs[name]] for name in names]
