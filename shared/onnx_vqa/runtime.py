"""Answers questions about pictures with an exported model, on a CPU.

Needs onnxruntime (or openvino or ai-edge-litert, where the bundle was made for it), tokenizers,
numpy and Pillow, and nothing else: `trainer export` writes this file into every bundle, with what
it imports of this project in it, so that the folder is all that a device needs.

    python vqa.py chair.jpg "what color is the chair" "what is it made of"
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shared.images.pixels import UnreadablePicture, losses, opened, rgb
from shared.onnx_vqa.blip import BlipGraphs
from shared.onnx_vqa.engines import loaded_graphs
from shared.onnx_vqa.fixed import FixedBlipGraphs
from shared.onnx_vqa.language import LanguageGraphs
from shared.onnx_vqa.manifest import (
    BLIP,
    LANGUAGE,
    VILT,
    BundleError,
    engine_of,
    family_of,
    read_manifest,
    read_tokenizer,
    require_as_exported,
)
from shared.onnx_vqa.pictures import pixels_by
from shared.onnx_vqa.vilt import ViltGraphs
from shared.onnx_vqa.words import Answer

_FAMILIES: Final[dict[str, type[Any]]] = {
    BLIP: BlipGraphs,
    VILT: ViltGraphs,
    LANGUAGE: LanguageGraphs,
}
_ENGINES: Final = {"onnx": "ONNX", "openvino": "OpenVINO", "litert": "LiteRT"}


class OnnxVqa:
    """An exported model that answers; ``prepare`` may run in any thread.

    Raises:
        BundleError: ``folder`` holds no bundle of this format, or one with a file that is missing
            or is not what was exported.
    """

    def __init__(self, folder: str | Path, threads: int = 0) -> None:
        """Load a bundle; ``threads`` are those of each product, 0 for one a core."""
        folder = Path(folder)
        self.manifest = read_manifest(folder)
        require_as_exported(folder, self.manifest)
        tokenizer = read_tokenizer(folder / self.manifest["tokenizer"])
        self.engine = _ENGINES[engine_of(self.manifest)]
        family = _FAMILIES[family_of(self.manifest)]
        if "lengths" in self.manifest:
            family = FixedBlipGraphs
        graphs = loaded_graphs(folder, self.manifest, threads)
        self._family = family(self.manifest, tokenizer, graphs)
        self.computed_once: str = family.computed_once

    def prepare(self, image: Image.Image) -> NDArray[np.float32]:
        """Return an image as pixels ``(1, C, H, W)``."""
        return pixels_by(self.manifest["image"], image)

    def remember(self, images: Sequence[NDArray[np.float32]]) -> Any:  # noqa: ANN401 (the family's)
        """Encode images, each once for all its questions."""
        return self._family.remember(images)

    def answer(
        self,
        seen: Any,  # noqa: ANN401 (what ``remember`` returned)
        image_of: Sequence[int],
        questions: Sequence[str],
    ) -> list[Answer]:
        """Answer each question about the image that ``seen`` holds at its index, greedily."""
        answers: list[Answer] = self._family.answer(seen, image_of, questions)
        return answers

    def ask(self, image: Image.Image, *questions: str) -> list[Answer]:
        """Answer questions about one image."""
        return self.answer(self.remember([self.prepare(image)]), [0] * len(questions), questions)


def _main(arguments: Sequence[str]) -> int:
    if len(arguments) < 2:  # noqa: PLR2004 (an image and a question)
        print('usage: vqa.py IMAGE "QUESTION" ...', file=sys.stderr)
        return 2
    try:
        model = OnnxVqa(Path(__file__).resolve().parent)
    except BundleError as error:
        print(error, file=sys.stderr)
        return 2
    except ImportError as error:
        print(f"needs {error.name}: pip install {error.name}", file=sys.stderr)
        return 2
    try:
        with opened(Path(arguments[0])) as image:
            for loss in losses(image):
                print(f"{arguments[0]}: {loss}", file=sys.stderr)
            picture = rgb(image)
    except (OSError, UnreadablePicture) as error:
        print(f"{arguments[0]}: not a readable image ({error})", file=sys.stderr)
        return 2
    try:
        answers = model.ask(picture, *arguments[1:])
    except BundleError as error:
        print(error, file=sys.stderr)
        return 2
    for question, answer in zip(arguments[1:], answers, strict=True):
        print(f"{question}: {answer.text} ({answer.confidence:.2f})")
    return 0


if __name__ == "__main__":
    raise SystemExit(_main(sys.argv[1:]))
