"""A bundle: the folder with three graphs, tokenizer, preprocessing and the code that runs them."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from transformers import BaseImageProcessor

from shared.corpus import write_json
from shared.errors import InputError
from shared.files.digests import file_digest
from shared.images import pixels
from shared.onnx_vqa import runtime
from shared.questions.folding import AS_IT_COMES, QuestionFolding, spellings
from shared.vqa.blip.config import token_ids
from shared.vqa.inputs.instruction import MAX_NEW_TOKENS
from shared.vqa.inputs.tokenizer_state import forget_last_texts
from shared.vqa.loaded import LoadedModel
from shared.vqa.loading import architecture
from trainer.export.graphs import GRAPHS
from trainer.export.openvino_graphs import SUFFIX, write_openvino
from trainer.export.targets import Target
from trainer.export.variants import Variant, write_variant

RUNTIME: Final = "vqa.py"
CARD: Final = "README.md"
_TOKENIZER: Final = "tokenizer.json"
_PROVIDERS: Final = ("TensorrtExecutionProvider", "CUDAExecutionProvider")
"""Source: onnxruntime.ai/docs/execution-providers, 2026-11."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """What was exported; ``adapter_sha256`` is empty where no adapter was merged in."""

    model: str
    revision: str
    adapter_sha256: str


def graph_path(folder: Path, name: str, target: Target = Target.ONNX) -> Path:
    """Return where a bundle's folder has one of ``GRAPHS``."""
    return folder / f"{name}{SUFFIX if target is Target.OPENVINO else '.onnx'}"


def write_bundle(
    graphs: Path,
    model: LoadedModel,
    variant: Variant,
    provenance: Provenance,
    folder: Path,
    *,
    target: Target = Target.ONNX,
) -> None:
    """Write everything but the card, from the float32 ONNX graphs in the folder ``graphs``.

    Raises:
        InputError: the model's preprocessing does something else than the runtime can.
    """
    folder.mkdir(parents=True, exist_ok=True)
    preprocessing = image_rules(model.image_processor)
    for name in GRAPHS:
        write = write_openvino if target is Target.OPENVINO else write_variant
        write(graph_path(graphs, name), variant, graph_path(folder, name, target))
    forget_last_texts(model.tokenizer)
    model.tokenizer.backend_tokenizer.save(str(folder / _TOKENIZER))
    ids = token_ids(model.blip.config)
    manifest = {
        "format": runtime.WITH_OPENVINO if target is Target.OPENVINO else runtime.FORMAT,
        "variant": variant.value,
        "architecture": architecture(model.blip.config),
        "model": provenance.model,
        "revision": provenance.revision,
        "adapter_sha256": provenance.adapter_sha256,
        "graphs": {name: graph_path(folder, name, target).name for name in GRAPHS},
        "sha256": _digests(folder, target),
        "providers": list(_PROVIDERS if target is Target.TENSORRT else ()),
        "tokenizer": _TOKENIZER,
        "tokens": {"start": ids.start, "end": ids.end, "pad": ids.pad},
        "questions": question_rules(model.folding),
        "max_question_tokens": model.max_question_tokens,
        "max_new_tokens": MAX_NEW_TOKENS,
        "image": preprocessing,
    }
    write_json(manifest, folder / runtime.MANIFEST)
    (folder / RUNTIME).write_text(standalone_runtime(), encoding="utf-8")


def _digests(folder: Path, target: Target) -> dict[str, str]:
    graphs = {name: graph_path(folder, name, target) for name in GRAPHS}
    if target is Target.OPENVINO:
        graphs |= {f"{name} weights": path.with_suffix(".bin") for name, path in graphs.items()}
    return {name: file_digest(path) for name, path in graphs.items()}


def standalone_runtime() -> str:
    """Return the runtime with the module that opens pictures in the place of its import."""
    source, pixels_source = (
        Path(module.__file__ or "").read_text(encoding="utf-8") for module in (runtime, pixels)
    )
    first, *body = ast.parse(pixels_source).body
    assert isinstance(first, ast.Expr), "a docstring, which has its place at a module's start"
    imports = [node for node in body if isinstance(node, ast.ImportFrom)]
    [future] = [node for node in imports if node.module == "__future__"]
    inlined = "\n".join(pixels_source.splitlines()[future.end_lineno or 0 :]).strip()
    [place] = [
        node
        for node in ast.parse(source).body
        if isinstance(node, ast.ImportFrom) and node.module == pixels.__name__
    ]
    lines = source.splitlines()
    lines[place.lineno - 1 : place.end_lineno] = [inlined, ""]
    return "\n".join(lines) + "\n"


def question_rules(folding: QuestionFolding) -> dict[str, Any]:
    """Return how a question is folded, for the runtime; empty where it is taken as it comes."""
    if folding == AS_IT_COMES:
        return {}
    return {
        "folding": folding.name.value,
        "version": folding.version,
        "ending": folding.ending,
        "spellings": dict(spellings(folding.version)),
    }


def image_rules(processor: BaseImageProcessor) -> dict[str, Any]:
    """Return how a picture becomes pixels, for the runtime.

    Raises:
        InputError: not by resizing to one size, rescaling and normalising.
    """
    size = processor.size
    steps = (processor.do_resize, processor.do_rescale, processor.do_normalize)
    if not all(steps) or not (size.height and size.width):
        raise InputError(
            "the model's image processor does not resize to one size, rescale and normalise, and "
            "nothing else is exported; see its preprocessor_config.json"
        )
    return {
        "height": size.height,
        "width": size.width,
        "resample": int(processor.resample),
        "rescale": processor.rescale_factor,
        "mean": list(processor.image_mean),
        "std": list(processor.image_std),
    }


def bytes_in(folder: Path) -> int:
    """Return what a bundle's files take on disk; it has no folders of its own."""
    return sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
