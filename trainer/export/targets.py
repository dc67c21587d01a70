"""What an exported model runs in; importing this imports none of it."""

from __future__ import annotations

from enum import StrEnum


class Target(StrEnum):
    """What runs the graphs, and how they are stored for it."""

    ONNX = "onnx"
    """onnxruntime on a CPU."""
    WEB = "web"
    """The same, and a page that runs it in a browser."""
    OPENVINO = "openvino"
    """OpenVINO on a CPU, from its own format (IR)."""
    TENSORRT = "tensorrt"
    """onnxruntime with TensorRT, else CUDA, else the CPU: what the device has."""

    @property
    def packages(self) -> tuple[str, ...]:
        """Return the modules that exporting to it needs."""
        own = ("openvino", "nncf") if self is Target.OPENVINO else ()
        return ("onnx", "onnxruntime", "onnxscript", *own)

    @property
    def engines(self) -> str:
        """Return what pip installs on a device to run it."""
        match self:
            case Target.OPENVINO:
                return "openvino"
            case Target.TENSORRT:
                return "onnxruntime-gpu"
        return "onnxruntime"

    @property
    def extra(self) -> str:
        """Return the extra that brings ``packages``."""
        return "openvino" if self is Target.OPENVINO else "onnx"
