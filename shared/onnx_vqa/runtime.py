"""Answers questions about pictures with an exported BLIP, on a CPU.

Needs onnxruntime (or openvino, where the bundle was made for it), tokenizers, numpy and Pillow, and
nothing else: `trainer export` writes this file into every bundle, with the pixels' module in it, so
that the folder is all that a device needs.

    python vqa.py chair.jpg "what color is the chair" "what is it made of"

Shapes: N images, C channels, H height, W width, B questions, T question tokens, S answer tokens so
far, Y layers, K heads, L image tokens, E a head's size, V vocabulary.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tokenizers import Tokenizer

from shared.images.pixels import UnreadablePicture, losses, opened, rgb

MANIFEST: Final = "bundle.json"
FORMAT: Final = 1
WITH_OPENVINO: Final = 2
"""A bundle's format: higher where files that read the lower one alone would not read it."""

_STATED: Final = {
    *("graphs", "sha256", "tokenizer", "tokens", "image"),
    *("max_question_tokens", "max_new_tokens"),
}
"""What a manifest has to say for questions to be answered."""
_WORD: Final = re.compile(r"[a-z]+")
_QUOTES: Final = str.maketrans({"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"'})
_CLOSING: Final = " ?!.\u00bf"

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]


class BundleError(ValueError):
    """A folder is no bundle, one of another format, or damaged."""


class Graph(Protocol):
    """A graph that runs: what onnxruntime calls a session."""

    def run(self, names: list[str], inputs: dict[str, Any], /) -> list[Any]:
        """Return the outputs of those names."""


class Answer(NamedTuple):
    """An answer's text and its probability under greedy decoding, in [0, 1]."""

    text: str
    confidence: float


class Seen(NamedTuple):
    """What the question encoder reads of N images, ``(Y, N, K, L, E)``; computed once for each."""

    keys: Floats
    values: Floats


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
        _require_as_exported(folder, self.manifest)
        self._image = self.manifest["image"]
        self._ids = self.manifest["tokens"]
        self._tokenizer = _tokenizer(folder / self.manifest["tokenizer"])
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(self.manifest["max_question_tokens"])
        is_openvino = self.manifest["format"] == WITH_OPENVINO
        self.engine = "OpenVINO" if is_openvino else "ONNX"
        load = _OpenVinoGraph if is_openvino else _session
        providers = self.manifest.get("providers", ())
        self._encode_image, self._encode_question, self._decode_step = (
            load(folder / self.manifest["graphs"][name], threads, providers)
            for name in ("image_encoder", "question_encoder", "decoder_step")
        )

    def prepare(self, image: Image.Image) -> Floats:
        """Return an image as pixels ``(1, C, H, W)``: resized, rescaled and normalised.

        It is turned as its camera says, and put on white where it is transparent.
        """
        rules = self._image
        size = (rules["width"], rules["height"])
        resized = rgb(image).resize(size, Image.Resampling(rules["resample"]))
        # In the order and precision of the processor that the model was trained with.
        scaled = (np.asarray(resized).astype(np.float64) * rules["rescale"]).astype(np.float32)
        mean, std = (np.array(rules[name], dtype=np.float32) for name in ("mean", "std"))
        pixels: Floats = ((scaled - mean) / std).transpose(2, 0, 1)[None]
        return np.ascontiguousarray(pixels)

    def remember(self, images: Sequence[Floats]) -> Seen:
        """Encode N images, each once for all its questions."""
        keys, values = self._encode_image.run(
            ["image_keys", "image_values"], {"pixels": np.concatenate(list(images))}
        )
        return Seen(keys, values)

    def answer(self, seen: Seen, image_of: Sequence[int], questions: Sequence[str]) -> list[Answer]:
        """Answer each question about the image that ``seen`` holds at its index, greedily."""
        answers: dict[int, Answer] = {}
        for image in dict.fromkeys(image_of):
            asked = [at for at, index in enumerate(image_of) if index == image]
            answered = self._about(
                seen.keys[:, image], seen.values[:, image], [questions[at] for at in asked]
            )
            answers.update(zip(asked, answered, strict=True))
        return [answers[at] for at in range(len(questions))]

    def ask(self, image: Image.Image, *questions: str) -> list[Answer]:
        """Answer questions about one image."""
        return self.answer(self.remember([self.prepare(image)]), [0] * len(questions), questions)

    def _about(
        self, keys_YKLE: Floats, values_YKLE: Floats, questions: Sequence[str]
    ) -> list[Answer]:
        ids_BT, mask_BT = self._tokens(questions)
        heard = self._encode_question.run(
            ["question_keys", "question_values"],
            {
                "ids": ids_BT,
                "mask": mask_BT,
                "image_keys": keys_YKLE,
                "image_values": values_YKLE,
            },
        )
        tokens, log_p_B = self._decode(heard[0], heard[1], mask_BT)
        texts = self._tokenizer.decode_batch(tokens, skip_special_tokens=True)
        return [
            Answer(text.strip(), math.exp(log_p))
            for text, log_p in zip(texts, log_p_B, strict=True)
        ]

    def _tokens(self, questions: Sequence[str]) -> tuple[Integers, Integers]:
        rules = self.manifest.get("questions") or {}
        folded = [fold(question, rules) for question in questions]
        rows = [encoding.ids for encoding in self._tokenizer.encode_batch(folded)]
        ids_BT = np.full((len(rows), max(map(len, rows))), self._ids["pad"], dtype=np.int64)
        mask_BT = np.zeros_like(ids_BT)
        for index, row in enumerate(rows):
            ids_BT[index, : len(row)] = row
            mask_BT[index, : len(row)] = 1
        return ids_BT, mask_BT

    def _decode(
        self, keys_YBKTE: Floats, values_YBKTE: Floats, mask_BT: Integers
    ) -> tuple[list[list[int]], list[float]]:
        """Say the likeliest token after the other; an answer that has ended leaves the batch."""
        layers, batch, heads, _, size = keys_YBKTE.shape
        past_keys = past_values = np.zeros((layers, batch, heads, 0, size), dtype=np.float32)
        tokens: list[list[int]] = [[] for _ in range(batch)]
        log_p = [0.0] * batch
        live = np.arange(batch)
        token_B1 = np.full((batch, 1), self._ids["start"], dtype=np.int64)
        for position in range(self.manifest["max_new_tokens"]):
            logits_BV, past_keys, past_values = self._decode_step.run(
                ["logits", "keys", "values"],
                {
                    "token": token_B1,
                    "position": np.array([[position]], dtype=np.int64),
                    "mask": mask_BT,
                    "question_keys": keys_YBKTE,
                    "question_values": values_YBKTE,
                    "past_keys": past_keys,
                    "past_values": past_values,
                },
            )
            best_B = logits_BV.argmax(-1)
            for row, token, value in zip(
                live, best_B, _log_softmax_at(logits_BV, best_B), strict=True
            ):
                tokens[row].append(int(token))
                log_p[row] += float(value)
            going = np.flatnonzero(best_B != self._ids["end"])
            if not going.size:
                break
            live, token_B1, mask_BT = live[going], best_B[going, None], mask_BT[going]
            if going.size < best_B.size:
                keys_YBKTE, values_YBKTE, past_keys, past_values = (
                    cached[:, going]
                    for cached in (keys_YBKTE, values_YBKTE, past_keys, past_values)
                )
        return tokens, log_p


def fold(question: str, rules: Mapping[str, Any]) -> str:
    """Return a question as the model was trained to hear it, by a manifest's rules, if any.

    What ``shared.questions.folding`` does; this file must stand alone.
    """
    if not rules:
        return question
    text = unicodedata.normalize("NFKC", question).translate(_QUOTES).lower()
    bare = " ".join(text.split()).rstrip(_CLOSING)
    spellings: Mapping[str, str] = rules["spellings"]
    american = _WORD.sub(lambda word: spellings.get(word[0], word[0]), bare)
    return american + str(rules["ending"])


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return what a bundle says of itself.

    Raises:
        BundleError: ``folder`` holds no bundle of this format.
    """
    path = folder / MANIFEST
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BundleError(f"{folder}: no exported model ({MANIFEST} is missing)") from None
    except (OSError, ValueError) as error:
        raise BundleError(f"{path}: not readable ({error})") from error
    if not isinstance(manifest, dict):
        raise BundleError(f"{path}: not what says of a bundle what it holds")
    if manifest.get("format") not in (FORMAT, WITH_OPENVINO):
        raise BundleError(
            f"{path}: format {manifest.get('format')}, and this reads {FORMAT} and {WITH_OPENVINO}"
        )
    if lacking := sorted(_STATED - manifest.keys()):
        raise BundleError(f"{path}: damaged, lacks {', '.join(lacking)}")
    return manifest


def _require_as_exported(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Check each graph by its hash: with other weights it would answer too, and wrongly."""
    for name, digest in manifest["sha256"].items():
        graph, _, weights = name.partition(" ")
        path = folder / manifest["graphs"][graph]
        path = path.with_suffix(".bin") if weights else path
        try:
            with path.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise BundleError(f"{path}: not readable ({error.strerror})") from error
        if found != digest:
            raise BundleError(f"{path}: damaged, not the file that was exported")


def _tokenizer(path: Path) -> Tokenizer:
    try:
        return Tokenizer.from_str(path.read_text(encoding="utf-8"))
    except Exception as error:  # tokenizers has no class of its own for its errors
        raise BundleError(f"{path}: not readable ({error})") from error


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


def _log_softmax_at(logits_BV: Floats, token_B: Integers) -> Floats:
    """Return each row's log-probability of its token, ``(B,)``."""
    top_B = logits_BV.max(-1)
    total_B = np.log(np.exp(logits_BV - top_B[:, None]).sum(-1))
    value: Floats = logits_BV[np.arange(len(token_B)), token_B] - top_B - total_B
    return value


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
    for question, answer in zip(arguments[1:], model.ask(picture, *arguments[1:]), strict=True):
        print(f"{question}: {answer.text} ({answer.confidence:.2f})")
    return 0


if __name__ == "__main__":
    raise SystemExit(_main(sys.argv[1:]))
