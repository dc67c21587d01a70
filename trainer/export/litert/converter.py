"""Turns saved torch programs into LiteRT's graphs; run by a Python that has litert-torch.

    python converter.py FOLDER VARIANT ...

writes ``NAME.VARIANT.tflite`` beside every ``NAME.pt2``. It imports nothing of this project, for
that Python need not have it.

Source: litert-torch 0.10 (``convert``), ai-edge-quantizer 0.10 (recipes).
"""

from __future__ import annotations

import sys
from pathlib import Path


def convert(folder: Path, variants: list[str]) -> None:
    """Convert every program in ``folder`` to each of ``variants``: float32, int8."""
    import litert_torch  # noqa: PLC0415 (of another environment, as torch may be)
    import torch  # noqa: PLC0415
    from ai_edge_quantizer import quantizer, recipe  # noqa: PLC0415

    for saved in sorted(folder.glob("*.pt2")):
        program = torch.export.load(saved)
        _, inputs = program.example_inputs
        whole = folder / f"{saved.stem}.float32.tflite"
        litert_torch.convert(program.module(check_guards=False), (), dict(inputs)).export(whole)
        if "int8" in variants:
            packing = quantizer.Quantizer(str(whole))
            packing.load_quantization_recipe(recipe.dynamic_wi8_afp32())
            packing.quantize().export_model(str(folder / f"{saved.stem}.int8.tflite"))


if __name__ == "__main__":
    convert(Path(sys.argv[1]), sys.argv[2:])
