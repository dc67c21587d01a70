"""A bundle: the folder with graphs, tokenizer, preprocessing and the code that runs them."""

from __future__ import annotations

import ast
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from shared.corpus import write_json
from shared.files.digests import file_digest
from shared.onnx_vqa import manifest, runtime
from shared.vqa.inputs.tokenizer_state import forget_last_texts
from shared.vqa.loading import architecture
from trainer.export.families.exportable import Exportable
from trainer.export.families.questions import question_rules
from trainer.export.graphs import write_graph
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
    """Return where a bundle's folder has one of its graphs."""
    suffixes = {Target.OPENVINO: SUFFIX, Target.LITERT: ".tflite"}
    return folder / f"{name}{suffixes.get(target, '.onnx')}"


def write_bundle(
    graphs: Path,
    exportable: Exportable,
    variant: Variant,
    provenance: Provenance,
    folder: Path,
    *,
    target: Target = Target.ONNX,
) -> None:
    """Write everything but the card, from the float32 ONNX graphs in the folder ``graphs``.

    For LiteRT that folder has what was converted (``trainer.export.litert.conversion``).
    """
    folder.mkdir(parents=True, exist_ok=True)
    names, model = list(exportable.graphs), exportable.model
    for name, graph in exportable.graphs.items():
        place = graph_path(folder, name, target)
        if target is Target.LITERT:
            shutil.copyfile(graphs / f"{name}.{variant}.tflite", place)
            continue
        if target is Target.OPENVINO:
            write_openvino(graph_path(graphs, name), variant, place)
        else:
            write_variant(graph_path(graphs, name), variant, place, graph.rows)
    forget_last_texts(model.tokenizer)
    model.tokenizer.backend_tokenizer.save(str(folder / _TOKENIZER))
    said = {
        **_format(exportable, target),
        "variant": variant.value,
        "template": model.instruction.template,
        "architecture": architecture(model.network.config),
        "model": provenance.model,
        "revision": provenance.revision,
        "adapter_sha256": provenance.adapter_sha256,
        "graphs": {name: graph_path(folder, name, target).name for name in names},
        "sha256": _digests(folder, names, target),
        "providers": list(_PROVIDERS if target is Target.TENSORRT else ()),
        "tokenizer": _TOKENIZER,
        "questions": question_rules(model.folding),
        **exportable.stated,
    }
    write_json(said, folder / manifest.MANIFEST)
    (folder / RUNTIME).write_text(standalone_runtime(), encoding="utf-8")


def write_graphs(
    exportable: Exportable, folder: Path, target: Target = Target.ONNX
) -> Iterator[str]:
    """Write a target's float32 ONNX graphs into a folder; yields each name when it is there."""
    for name, graph in exportable.graphs.items():
        write_graph(graph, graph_path(folder, name), target.opset)
        yield name


def _format(exportable: Exportable, target: Target) -> dict[str, Any]:
    """Return the lowest format whose readers know all that is in a bundle."""
    family = exportable.family
    plain = family == manifest.BLIP and not exportable.stated["prompt"]
    if plain and target is not Target.LITERT:
        openvino = target is Target.OPENVINO
        return {"format": manifest.WITH_OPENVINO if openvino else manifest.FORMAT}
    engine = target.value if target in {Target.OPENVINO, Target.LITERT} else "onnx"
    return {"format": manifest.WITH_FAMILIES, "family": family, "engine": engine}


def _digests(folder: Path, names: Sequence[str], target: Target) -> dict[str, str]:
    graphs = {name: graph_path(folder, name, target) for name in names}
    if target is Target.OPENVINO:
        graphs |= {f"{name} weights": path.with_suffix(".bin") for name, path in graphs.items()}
    return {name: file_digest(path) for name, path in graphs.items()}


def standalone_runtime() -> str:
    """Return the runtime with all that it imports of this project in the place of the imports."""
    docstring, *body = ast.parse(source := _source(runtime.__name__)).body
    inlined = _inlined(runtime.__name__, set())
    head = "\n".join(source.splitlines()[: docstring.end_lineno])
    assert isinstance(body[0], ast.ImportFrom), "of what Python is to come, which stands first"
    return f"{head}\n\nfrom __future__ import annotations\n\n{inlined}\n"


def _inlined(module: str, done: set[str]) -> str:
    """Return a module's code after that of the modules of this project that it imports."""
    if module in done:
        return ""
    done.add(module)
    source = _source(module)
    lines, before = source.splitlines(), []
    for node in ast.parse(source).body:
        imported = (node.module or "") if isinstance(node, ast.ImportFrom) else ""
        is_docstring = isinstance(node, ast.Expr) and node.lineno == 1
        if imported.startswith("shared."):
            before.append(_inlined(imported, done))
        elif imported != "__future__" and not is_docstring:
            continue
        for number in range(node.lineno - 1, node.end_lineno or node.lineno):
            lines[number] = ""
    own = re.sub(r"\n{4,}", "\n\n\n", "\n".join(lines)).strip()
    return "\n\n\n".join(filter(None, [*before, own]))


def _source(module: str) -> str:
    return Path(import_module(module).__file__ or "").read_text(encoding="utf-8")


def bytes_in(folder: Path) -> int:
    """Return what a bundle's files take on disk; it has no folders of its own."""
    return sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
