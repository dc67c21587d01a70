"""``trainer export``: a model as ONNX graphs."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from shared.errors import InputError
from shared.program.command_line.next_step import tell_next
from shared.vqa.adapting.named_folder import named_folder
from trainer.commands.options import AsJson, Out
from trainer.commands.printing.next_commands import evaluating_model, evaluating_on_pairs_of
from trainer.export.targets import Target


class VariantName(StrEnum):
    """``trainer.export.variants.Variant``, without importing onnx for ``--help``."""

    FLOAT32 = "float32"
    FLOAT16 = "float16"
    INT8 = "int8"
    INT4 = "int4"


RunFolder = Annotated[
    str | None,
    typer.Option("--adapter", metavar="[NAME=]DIR", help="Folder of a finished run."),
]
Model = Annotated[
    str | None, typer.Option(help="Model to export instead of a run: a folder or a hub id.")
]
Variants = Annotated[
    list[VariantName] | None,
    typer.Option(
        "--variant",
        help="Form of the weights; may be repeated, each then in a folder of its own.",
        show_default="float32, and int8 for web",
    ),
]
To = Annotated[
    Target,
    typer.Option(
        "--to",
        help="What runs it: onnxruntime, a page in a browser, OpenVINO, TensorRT, or LiteRT.",
    ),
]
NodeModules = Annotated[
    Path | None,
    typer.Option(
        help="Folder with the JavaScript packages of the page.", show_default="fetched by npm"
    ),
]
LitertPython = Annotated[
    Path | None,
    typer.Option(help="Python of an environment that has litert-torch.", show_default="none"),
]
Sample = Annotated[
    int, typer.Option("--sample", "--questions", help="Number of questions to check with.", min=1)
]
Data = Annotated[
    str | None,
    typer.Option(
        help="Data to check with: a path or a URL.", show_default="the run's held-out pairs"
    ),
]
Images = Annotated[
    str | None,
    typer.Option(help="Folder of its images.", show_default="as trained, or those within --data"),
]
Columns = Annotated[
    str | None,
    typer.Option(
        metavar="FIELD=COLUMN,...",
        help="Columns of --data whose names cannot be guessed, such as answer=ground_truth.",
    ),
]
Threads = Annotated[int, typer.Option(help="Threads of each model while it is timed.", min=1)]


def export(
    *,
    out: Out,
    adapter: RunFolder = None,
    model: Model = None,
    to: To = Target.ONNX,
    variant: Variants = None,
    sample: Sample = 200,
    data: Data = None,
    images: Images = None,
    columns: Columns = None,
    threads: Threads = 1,
    node_modules: NodeModules = None,
    litert_python: LitertPython = None,
    as_json: AsJson = False,
) -> None:
    """Write ONNX graphs that run without torch, and check their answers against the original's."""
    from rich.console import Console

    from shared.corpus import parse_columns
    from trainer.export.card import export_table

    if (adapter is None) == (model is None):
        raise InputError("give --adapter, the folder of a finished run, or --model, and not both")
    if node_modules is not None and to is not Target.WEB:
        raise InputError("--node-modules is for --to web")
    if litert_python is not None and to is not Target.LITERT:
        raise InputError("--litert-python is for --to litert")
    if set(variant or ()) - set(to.variants):
        why = ": it has no weights in blocks" if to is Target.TENSORRT else ""
        raise InputError(f"--to {to} takes {' and '.join(to.variants)}{why}")
    missing = [name for name in to.packages if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(f"export needs {missing[0]}: pip install 'abo-vqa[{to.extra}]'")
    from shared.vqa.names.model_names import resolve_model
    from trainer.fitting.record import require_no_model, require_record

    run = None if adapter is None else named_folder(adapter)[1]
    if run is not None:
        require_no_model(run)
        require_record(run)
    if model is not None:
        resolve_model(model)
    # torch takes seconds to import; what is misspelt need not wait for it.
    from trainer.export.export import ExportOrder
    from trainer.export.export import export as export_model
    from trainer.export.variants import Variant

    usual = VariantName.INT8 if to is Target.WEB else VariantName.FLOAT32
    chosen = [Variant(name.value) for name in dict.fromkeys(variant or [usual])]
    rows, folder = _opened(data, images)
    result = export_model(
        ExportOrder(
            out=out,
            variants=chosen,
            questions=sample,
            threads=threads,
            adapter=run,
            model=model,
            data=rows,
            images=folder,
            columns=parse_columns(columns),
            target=to,
            node_modules=node_modules,
            litert_python=litert_python,
        )
    )
    bundles = [str(folder) for folder in result.bundles]
    if as_json:
        typer.echo(json.dumps({**asdict(result), "folder": str(out), "bundles": bundles}))
        return
    Console().print(export_table(result))
    typer.echo("\n".join(bundles))
    made = result.bundles[0]
    if data is None:
        tell_next(*evaluating_on_pairs_of(run, made))
    else:
        tell_next(*evaluating_model(made, data, images))


def _opened(data: str | None, images: str | None) -> tuple[Path | None, Path | None]:
    """Return the rows and the pictures to check with; nothing where the run's own are meant."""
    from shared.dataset.opening import opened_data
    from shared.images.stores import local_folder

    if data is None:
        return None, local_folder(images)
    opened = opened_data(data, images)
    return opened.rows, opened.folder
