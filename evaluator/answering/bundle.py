"""Answers with a bundle that ``trainer export`` wrote, by the code that goes with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from evaluator.answering.messages import ModelFacts
from shared.errors import InputError
from shared.questions.folding import AS_IT_COMES
from shared.vqa.answerer import Answer
from shared.vqa.inputs.instruction import Instruction

if TYPE_CHECKING:
    from shared.onnx_vqa.runtime import OnnxVqa

NO_REGIONS: Final = "regions behind an answer need gradients, which an exported model has not"


class BundleAnswerer:
    """An exported model: prepares, remembers and answers as ``shared.vqa.answerer.Answerer`` does.

    Raises:
        InputError: what it was made for is not installed, or it is of another format.
    """

    def __init__(self, folder: str) -> None:
        try:
            self._bundle = _loaded(folder)
        except ImportError as error:
            extras = {"openvino": "openvino", "ai_edge_litert": "litert"}
            extra = extras.get(str(error.name).partition(".")[0], "onnx")
            raise InputError(
                f"{folder}: needs {error.name}: pip install 'abo-vqa[{extra}]'"
            ) from error
        self._folder = folder

    def facts(self) -> ModelFacts:
        """Return which model was exported, and how its weights are stored."""
        manifest = self._bundle.manifest
        return ModelFacts(
            model=self._folder,
            revision=f"{manifest['model']} {manifest['revision']}",
            quantization=manifest["variant"],
            adapter_sha256=manifest["adapter_sha256"],
            device="cpu",
            dtype="float32",
            architecture=f"{manifest['architecture']}, {self._bundle.engine}",
            computed_once=self._bundle.computed_once,
            question_folding=self._folding(),
            answer_cleaning=manifest.get("cleaning", ""),
        )

    def _folding(self) -> str:
        rules = self._bundle.manifest.get("questions")
        return f"{rules['folding']} {rules['version']}" if rules else str(AS_IT_COMES)

    def prepare(self, image: Image.Image) -> NDArray[np.float32]:
        """Return pixels ``(1, C, H, W)``."""
        return self._bundle.prepare(image)

    def remember(self, images: Sequence[NDArray[np.float32]]) -> Any:  # noqa: ANN401 (its family's)
        """Encode the images."""
        with _told():
            return self._bundle.remember(images)

    def answer(
        self,
        memory: Any,  # noqa: ANN401 (what ``remember`` returned)
        image_of: Sequence[int],
        questions: Sequence[str],
    ) -> list[Answer]:
        """Answer each question about its image, greedily."""
        with _told():
            answers = self._bundle.answer(memory, image_of, questions)
        return [Answer(answer.text, answer.confidence) for answer in answers]


def bundle_instruction(folder: str) -> Instruction:
    """Return how a bundle asks, as its run records it.

    Raises:
        InputError: it is damaged, or of another format.
    """
    from shared.onnx_vqa.manifest import read_manifest, template_of  # noqa: PLC0415 (an extra)

    with _told():
        manifest = read_manifest(Path(folder).expanduser())
    return Instruction(template_of(manifest), manifest.get("max_new_tokens"))


@contextmanager
def _told() -> Iterator[None]:
    """Say what is wrong with a bundle as what is wrong with what was given."""
    from shared.onnx_vqa.manifest import BundleError  # noqa: PLC0415 (an extra)

    try:
        yield
    except BundleError as error:
        raise InputError(f"{error}; export the model again") from error


def _loaded(folder: str) -> OnnxVqa:
    from shared.onnx_vqa.runtime import OnnxVqa  # noqa: PLC0415 (an extra)

    with _told():
        # Replicas that share a machine share its cores as torch's would.
        return OnnxVqa(Path(folder).expanduser(), torch.get_num_threads())
