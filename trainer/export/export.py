"""Writes a model as ONNX bundles and checks each against the original before it is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from transformers.utils import cached_file

from shared.corpus import ColumnNames
from shared.errors import InputError
from shared.files.atomic import new_folder
from shared.program.reporting.progress import report_progress
from shared.vqa.adapting.adapter_files import adapter_digest
from shared.vqa.names.model_names import resolve_model
from shared.vqa.names.public_name import public_name
from shared.vqa.trained_on import known_training
from trainer.export.bundle import CARD, Provenance, bytes_in, write_bundle, write_graphs
from trainer.export.card import bundle_card, comparison_section
from trainer.export.checking import (
    CheckedModel,
    CheckedQuestions,
    ExportResult,
    checked,
    kept_questions,
    questions_of,
    require_equal,
)
from trainer.export.families.blip_fixed import with_fixed_sizes
from trainer.export.families.exportable import Exportable
from trainer.export.families.opening import opened_exportable, require_exported
from trainer.export.litert.conversion import require_converter, write_converted
from trainer.export.measure import Kind, measure
from trainer.export.targets import Target
from trainer.export.variants import Variant
from trainer.export.web.libraries import libraries, require_libraries
from trainer.export.web.page import require_filter, write_page
from trainer.fitting.record import require_no_model, require_record
from trainer.merging.carrying import carry_training_images
from trainer.merging.merge import write_merged

ORIGINAL: Final = "original"


@dataclass(frozen=True, slots=True)
class ExportOrder:
    """What the command line asks for; see ``trainer export --help``.

    Without ``adapter`` there is a ``model``, ``data`` and ``images``. What the page of
    ``Target.WEB`` runs on comes from ``node_modules``, or from npm; ``litert_python`` is the Python
    that has the converter of ``Target.LITERT``.
    """

    out: Path
    variants: Sequence[Variant]
    questions: int
    threads: int
    adapter: Path | None = None
    model: str | None = None
    data: Path | None = None
    images: Path | None = None
    columns: ColumnNames = field(default_factory=dict)
    target: Target = Target.ONNX
    node_modules: Path | None = None
    litert_python: Path | None = None


def export(order: ExportOrder) -> ExportResult:
    """Write one bundle to ``order.out``, or a folder in it for each of several variants.

    Raises:
        InputError: the model is of no family that is exported, or it, the pairs or their images
            cannot be used.
        AnswersDiffer: the float32 graphs do not answer as the original does.
        NotMeasured: a process that answers failed.
        NoLibraries: npm does not bring what the page runs on.
        NotConverted: LiteRT's converter failed.
    """
    if order.adapter is not None:
        require_no_model(order.adapter)
    base = require_record(order.adapter).base if order.adapter else order.model
    if base is None:
        raise InputError("give the folder of a finished run, or --model")
    require_exported(base, order.target)
    if order.target is Target.WEB:
        require_libraries(order.node_modules)
    if order.target is Target.LITERT:
        require_converter(order.litert_python)
    questions = _questions(order, base)
    with new_folder(order.out) as part, TemporaryDirectory(dir=part) as folder:
        scratch = Path(folder)
        exportable, provenance = _original(order.adapter, base, scratch / "merged")
        if order.target is Target.WEB:
            require_filter(exportable.stated["image"])
        if order.target is Target.LITERT:
            exportable = with_fixed_sizes(exportable)
        bundles = _write_bundles(exportable, provenance, order, part, scratch)
        models = _check(exportable.model.name, bundles, questions, order.threads)
        adapters = [] if order.adapter is None else [order.adapter]
        for variant in order.variants:
            carry_training_images(base, adapters, bundles[variant])
            comparison = comparison_section(questions, order.threads, models)
            card = bundle_card(
                provenance,
                variant,
                order.target,
                comparison,
                model_type=exportable.model.network.config.model_type,
                graphs=exportable.graphs,
            )
            (bundles[variant] / CARD).write_text(card, encoding="utf-8")
        if order.target is Target.WEB:
            brought = libraries(order.node_modules)
            for variant in order.variants:
                write_page(bundles[variant], brought)
        places = tuple(order.out / bundles[variant].relative_to(part) for variant in order.variants)
    return ExportResult(
        order.out, places, len(questions.pairs), questions.split, order.threads, models
    )


def _questions(order: ExportOrder, base: str) -> CheckedQuestions:
    if order.data is not None and order.images is not None:
        adapters = [] if order.adapter is None else [order.adapter]
        training = known_training(base, adapters).images
        return questions_of(order.data, order.images, order.questions, training, order.columns)
    if order.adapter is None or order.data is not None:
        raise InputError(
            "say with --data and --images which questions the exported model is checked with"
        )
    return kept_questions(order.adapter, order.images, order.questions)


def _original(adapter: Path | None, base: str, merged: Path) -> tuple[Exportable, Provenance]:
    """Return the model that is exported, with its adapter merged into it on the way."""
    if adapter is None:
        exportable = opened_exportable(base)
        return exportable, Provenance(public_name(base), exportable.model.revision, "")
    record = require_record(adapter)
    write_merged(adapter, record, merged)
    provenance = Provenance(public_name(base), record.base_revision, adapter_digest(adapter))
    return opened_exportable(str(merged)), provenance


def _write_bundles(
    exportable: Exportable,
    provenance: Provenance,
    order: ExportOrder,
    part: Path,
    scratch: Path,
) -> dict[Variant, Path]:
    """Write the variants, and float32 for the check where it is none of them."""
    variants = order.variants
    wanted = dict.fromkeys((Variant.FLOAT32, *variants))
    graphs = scratch / "graphs"
    graphs.mkdir()
    folders = {}
    with report_progress("writing graphs", len(exportable.graphs) + len(wanted)) as progress:
        if order.target is Target.LITERT and order.litert_python is not None:
            written = write_converted(exportable, graphs, list(wanted), order.litert_python)
        else:
            written = write_graphs(exportable, graphs, order.target)
        for name in written:
            progress.advance(note=name)
        for variant in wanted:
            above = part if variant in variants else scratch
            folders[variant] = above if list(variants) == [variant] else above / variant.value
            place = folders[variant]
            write_bundle(graphs, exportable, variant, provenance, place, target=order.target)
            progress.advance(note=variant.value)
    return folders


def _check(
    original: str, bundles: Mapping[Variant, Path], questions: CheckedQuestions, threads: int
) -> tuple[CheckedModel, ...]:
    asked = questions.asked()
    first = measure(Kind.MODEL, original, asked, threads, ORIGINAL)
    rows = [checked(ORIGINAL, _stored_bytes(original), first, questions)]
    for variant, folder in bundles.items():
        measured = measure(Kind.BUNDLE, str(folder), asked, threads, variant.value)
        if variant is Variant.FLOAT32:
            require_equal(measured, first, questions)
        rows.append(checked(variant.value, bytes_in(folder), measured, questions, first))
    return tuple(rows)


def _stored_bytes(model: str) -> int:
    """Return what the original's weights take on disk."""
    folder = Path(resolve_model(model))
    if not folder.is_dir():
        folder = Path(cached_file(model, "config.json")).parent
    return sum(path.stat().st_size for path in folder.glob("*.safetensors"))
