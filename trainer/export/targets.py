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

    LITERT = "litert"
    """LiteRT on a CPU, from its own format."""

    @property
    def packages(self) -> tuple[str, ...]:
        """Return the modules that exporting to it needs."""
        of_target = {Target.OPENVINO: ("openvino", "nncf"), Target.LITERT: ("ai_edge_litert",)}
        own = of_target.get(self, ())
        return ("onnx", "onnxruntime", "onnxscript", *own)

    @property
    def engines(self) -> str:
        """Return what pip installs on a device to run it, as a shell takes it.

        Below 1.24 onnxruntime does not know all operators of set 23 (tried with 1.23.2).
        """
        match self:
            case Target.OPENVINO:
                return "openvino"
            case Target.TENSORRT:
                return "onnxruntime-gpu"
            case Target.LITERT:
                return "ai-edge-litert"
        return "'onnxruntime>=1.24'"

    @property
    def extra(self) -> str:
        """Return the extra that brings ``packages``."""
        return self.value if self in {Target.OPENVINO, Target.LITERT} else "onnx"

    @property
    def opset(self) -> int:
        """Return the ONNX operator set of its graphs: 21 has 4 bits, 23 attention as one operator.

        TensorRT reads attention since 10.14 (November 2025), with faults on some cards (its issues
        4705 and 4738, 2026), so it is given the parts of it.
        """
        return 21 if self is Target.TENSORRT else 23

    @property
    def variants(self) -> tuple[str, ...]:
        """Return the forms of weights that it has."""
        match self:
            case Target.TENSORRT:
                return ("float32", "float16")
            case Target.LITERT:
                return ("float32", "int8")
        return ("float32", "float16", "int8", "int4")
