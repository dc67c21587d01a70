"""Cosines of pictures and answers by CLIP (Radford et al. 2021) through open_clip.

Each picture and each distinct answer is embedded once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Final
from urllib.error import URLError

import numpy as np
import torch
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
from numpy.typing import NDArray

from evaluator.metrics.tools import CLIP, named_version, require_module
from shared.errors import CorruptImage, InputError
from shared.images.decoding import large_pictures_in_turn
from shared.images.source import image_source
from shared.program.reporting.event_log import EventLog
from shared.program.reporting.progress import report_progress
from shared.questions.answers import normalise

CLIP_MODEL: Final = "ViT-B-32-quickgelu"
"""CLIP ViT-B/32 as OpenAI trained it; open_clip's plain ViT-B-32 has another activation."""
CLIP_WEIGHTS: Final = "openai"
BATCH: Final = 32

log = EventLog(__name__)


class ClipScorer:
    """A loaded CLIP that remembers what it embedded: 2 kB for each picture and distinct answer."""

    def __init__(self, model: str, weights: str, images: str) -> None:
        """Load the model.

        Args:
            model: open_clip's name of the architecture.
            weights: a checkpoint file, or open_clip's tag of weights to fetch.
            images: the folder or URL that file names start from.

        Raises:
            ToolMissing: open_clip is not installed.
            InputError: no such images folder, architecture or weights.
        """
        self._images = image_source(images)
        self._place = images
        tool = require_clip(model, weights)
        try:
            loaded, _, self._preprocess = tool.create_model_and_transforms(
                model, pretrained=weights, weights_only=True
            )
        except (HfHubHTTPError, LocalEntryNotFoundError, URLError, OSError) as error:
            raise InputError(
                f"--clip-weights {weights}: cannot be fetched; give a local checkpoint file"
            ) from error
        except (RuntimeError, AssertionError, KeyError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise InputError(
                f"--clip-weights {weights}: no weights of {model} ({reason})"
            ) from error
        self._tokenize = tool.get_tokenizer(model)
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self._model = loaded.eval().to(self.device)
        self._pictures: dict[str, NDArray[np.float32] | None] = {}
        self._texts: dict[str, NDArray[np.float32]] = {}
        self.signature = (
            f"{model} {Path(weights).name}@{_digest(loaded)}|{named_version('open_clip_torch')}"
        )

    def cosines(self, filenames: Sequence[str], answers: Sequence[str]) -> NDArray[np.float64]:
        """Return the cosine of each row's picture and normalised answer, shape (N,), in [-1, 1].

        NaN where the picture cannot be read.

        Raises:
            InputError: none of the pictures can be read.
        """
        texts = [normalise(answer) for answer in answers]
        self._learn_pictures(filenames)
        self._learn_texts(texts)
        rows = list(zip(filenames, texts, strict=True))
        cosine = {(name, text): self._cosine(name, text) for name, text in set(rows)}
        return np.array([cosine[row] for row in rows], dtype=np.float64)

    def _cosine(self, filename: str, text: str) -> float:
        picture = self._pictures[filename]
        return float("nan") if picture is None else float(picture @ self._texts[text])

    @torch.inference_mode()
    def _learn_pictures(self, filenames: Iterable[str]) -> None:
        new = sorted(set(filenames) - self._pictures.keys())
        with report_progress("pictures for CLIP", len(new)) as progress:
            for part in _batches(new):
                tried = {name: self._pixels(name) for name in part}
                pixels = {name: read for name, read in tried.items() if read is not None}
                self._pictures.update(dict.fromkeys(part))
                if pixels:
                    batch = torch.stack(list(pixels.values())).to(self.device)
                    vectors = self._model.encode_image(batch, normalize=True).float().cpu().numpy()
                    self._pictures.update(zip(pixels, vectors, strict=True))
                progress.advance(len(part))
        broken = [name for name in new if self._pictures[name] is None]
        if broken and len(broken) == len(self._pictures):
            raise InputError(
                f"--images {self._place}: none of the {len(broken)} pictures is there or can be "
                f"read, such as {broken[0]}"
            )
        if broken:
            log.warning("pictures_unreadable", count=len(broken), first=broken[0])

    def _pixels(self, filename: str) -> torch.Tensor | None:
        try:
            with large_pictures_in_turn():
                pixels: torch.Tensor = self._preprocess(self._images.read(filename))
        except CorruptImage:
            return None
        return pixels

    @torch.inference_mode()
    def _learn_texts(self, texts: Iterable[str]) -> None:
        for part in _batches(sorted(set(texts) - self._texts.keys())):
            tokens = self._tokenize(part).to(self.device)
            vectors = self._model.encode_text(tokens, normalize=True).float().cpu().numpy()
            self._texts.update(zip(part, vectors, strict=True))


def require_clip(model: str, weights: str) -> ModuleType:
    """Return open_clip, which knows this model and these weights.

    Raises:
        ToolMissing: it is not installed.
        InputError: it knows no such architecture or weights.
    """
    tool = require_module("vtgs_clip", "open_clip", CLIP)
    _require_known(tool.list_models(), tool.list_pretrained_tags_by_model(model), model, weights)
    return tool


def _require_known(models: Sequence[str], tags: Sequence[str], model: str, weights: str) -> None:
    if model not in models:
        raise InputError(
            f"--clip-model {model}: open_clip has no such model; see its list_models()"
        )
    if weights not in tags and not Path(weights).is_file():
        raise InputError(
            f"--clip-weights {weights}: neither a checkpoint file nor one of open_clip's tags for "
            f"{model}: {', '.join(tags) or 'none'}"
        )


def _batches(items: Sequence[str]) -> Iterator[list[str]]:
    for start in range(0, len(items), BATCH):
        yield list(items[start : start + BATCH])


def _digest(model: torch.nn.Module) -> str:
    """Return 12 hexadecimal digits of the weights themselves, wherever they came from."""
    digest = hashlib.sha256()
    for name, weight in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(weight.detach().cpu().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:12]
