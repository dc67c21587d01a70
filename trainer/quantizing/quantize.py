"""Gives a model's weights the bits that they need, under a budget, and writes it as one folder."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Final

from shared.corpus import pairs_digest, write_json
from shared.errors import InputError
from shared.files.atomic import refilled_folder
from shared.files.contents import require_writable_folder
from shared.files.locking import sole
from shared.vqa.adapting.adapter_files import adapter_digest
from shared.vqa.adapting.rounded_together import is_rounded_together
from shared.vqa.names.public_name import public_name
from shared.vqa.packed.folder import write_packed_network
from shared.vqa.packed.place import packed_record_of
from shared.vqa.packed.record import WEIGHTS, PackedPart, PackedRecord, write_packed_record
from shared.vqa.quantization import Quantization
from trainer.fitting.record import require_record
from trainer.learners.families import learner_class, load_learner
from trainer.merging.carrying import carry_training_images
from trainer.merging.merge import save_beside_weights, write_merged
from trainer.quantizing.allocation import Choice, allocate
from trainer.quantizing.card import quantized_card
from trainer.quantizing.chart import kept_chart
from trainer.quantizing.comparing import Comparison, bits_budget, forms_beside
from trainer.quantizing.kept import knee
from trainer.quantizing.measuring.calibration import Calibration, Exact
from trainer.quantizing.measuring.measured import MEASURED_FILE, Measured
from trainer.quantizing.measuring.questions import QuantizeQuestions, quantize_questions
from trainer.quantizing.order import QuantizeOrder, QuantizeResult
from trainer.quantizing.parts import BITS, WHOLE
from trainer.quantizing.planning import Planner
from trainer.quantizing.rounding import Method
from trainer.quantizing.sensitivity import Plan, Rounder, measured_choices

LOCK_FILE: Final = "quantize.lock"
CARD_FILE, CHART_FILE, TABLE_FILE, CONFIG_FILE = (
    "README.md",
    "sizes.svg",
    "sizes.json",
    "config.json",
)
_MERGED: Final = "merged.part"
"""The model with its adapter merged in, while it is rounded."""
_VERSION: Final = "quantize 2"
"""Of how things are measured: what another one measured is not taken."""


def quantize(order: QuantizeOrder) -> QuantizeResult:
    """Write the model of ``order`` in fewer bits; given again, it goes on where it stopped.

    Raises:
        InputError: model, adapter or questions cannot be used, ``out`` has something else, or the
            budget is too small.
    """
    _require_usable(order)
    questions = quantize_questions(
        order.model,
        order.adapter,
        order.data,
        order.images,
        columns=order.columns,
        calibration=order.questions,
        check=order.check_questions,
    )
    with _held(order.out), _emptied(order.out / _MERGED) as merged:
        source = _source(order, merged)
        rounder = Rounder(load_learner(source, quantization=Quantization.NONE))
        budget = _budget(order, rounder)
        fingerprint = _fingerprint(order, rounder.learner.model.revision, questions)
        measured = Measured(order.out / MEASURED_FILE, fingerprint)
        calibration = Calibration(rounder.learner, questions.calibration, questions.check.images)
        exact = Exact(calibration)
        if order.method is Method.GPTQ:
            rounder.watch(exact)
        choices = measured_choices(rounder, order.method, exact, measured)
        planner = Planner(rounder, order.method, choices, exact, measured)
        plan = planner.within(budget)
        comparison = Comparison(rounder, questions.check, measured, source)
        sizes = comparison.sizes(forms_beside(planner, plan))
        result = QuantizeResult(
            folder=order.out,
            data=(order.data or order.adapter or order.out).resolve().name,
            questions=len(questions.check.pairs),
            split=questions.check.split,
            weights_bytes=0,
            bits_by_part={part.name: bits for part, bits in plan.items()},
            sizes=sizes,
            knee=knee(sizes).name,
        )
        return _written(order, rounder, plan, result)


def _require_usable(order: QuantizeOrder) -> None:
    require_writable_folder(order.out, "--out")
    if order.out.is_dir() and any(order.out.iterdir()) and not _is_begun(order.out):
        raise InputError(f"{order.out}: is there already; give another --out, or remove it")
    learner_class(order.model)
    _require_exact(order.model)
    if order.adapter is not None:
        _require_of_exact(order.adapter)


def _require_exact(model: str) -> None:
    record = packed_record_of(model)
    if record is None:
        return
    made_of = (
        f"give {record.base}, which it was made of"
        if record.base
        else "an adapter is merged into it, so give the model that both stand on, with --adapter"
    )
    raise InputError(f"{model}: is packed already, and would be rounded twice; {made_of}")


def _require_of_exact(adapter: Path) -> None:
    """Check that an adapter does not make up for what packing its base rounded off."""
    if is_rounded_together(adapter):
        raise InputError(
            f"{adapter}: is rounded together with its packed base; `trainer merge` makes a "
            "packed model of both"
        )
    record = require_record(adapter)
    if record.quantization == Quantization.PACKED:
        raise InputError(
            f"{adapter}: was trained on a packed base ({record.base}), and makes up for what that "
            "rounded off; train one on the exact model, or let `trainer merge` add this one to its "
            "base and quantize what that writes"
        )


def _is_begun(folder: Path) -> bool:
    return (folder / MEASURED_FILE).exists() or (folder / LOCK_FILE).exists()


@contextmanager
def _held(out: Path) -> Iterator[None]:
    """Work in ``out`` alone; where nothing was measured, no folder is left that was not there."""
    held = f"{out}: another `trainer quantize` works in this folder"
    lock = out / LOCK_FILE
    folder_was_there, lock_was_there = out.exists(), lock.exists()
    with sole(lock, held, "wait for it, stop it, or give another --out"):
        try:
            yield
        except BaseException:
            if not lock_was_there and not (out / MEASURED_FILE).exists():
                lock.unlink(missing_ok=True)
                if not folder_was_there:
                    with suppress(OSError):
                        out.rmdir()
            raise


@contextmanager
def _emptied(folder: Path) -> Iterator[Path]:
    """Yield a place where nothing is, and leave none; a kill may have left something before."""
    shutil.rmtree(folder, ignore_errors=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _source(order: QuantizeOrder, merged: Path) -> str:
    """Return the exact model to round, an adapter merged in."""
    if order.adapter is None:
        return order.model
    merged.mkdir()
    write_merged(order.adapter, replace(require_record(order.adapter), base=order.model), merged)
    return str(merged)


def _budget(order: QuantizeOrder, rounder: Rounder) -> int:
    """Return how many bytes the parts may take.

    Raises:
        InputError: even the fewest bits take more; said before anything is measured.
    """
    if order.bits is not None:
        budget = bits_budget(rounder, order.bits)
    else:
        budget = int((order.budget_mb or 0) * 1e6) - rounder.other_bytes
    fewest = {
        part.name: [Choice(bits, part.bytes_at(bits), 0.0) for bits in BITS]
        for part in rounder.parts
    }
    allocate(fewest, budget)
    return budget


def _fingerprint(order: QuantizeOrder, revision: str, questions: QuantizeQuestions) -> str:
    of = [
        _VERSION,
        revision,
        "" if order.adapter is None else adapter_digest(order.adapter),
        order.method.value,
        pairs_digest(questions.calibration),
        pairs_digest(questions.check.pairs),
    ]
    return hashlib.sha256(json.dumps(of).encode()).hexdigest()


def _written(
    order: QuantizeOrder, rounder: Rounder, plan: Plan, result: QuantizeResult
) -> QuantizeResult:
    trained = rounder.learner.model
    rounder.round_for_good(plan, order.method)
    with refilled_folder(order.out, CONFIG_FILE) as folder:
        shared = write_packed_network(rounder.network, folder)
        result = replace(result, weights_bytes=(folder / WEIGHTS).stat().st_size)
        parts = tuple(
            PackedPart(part.names, part.shape, bits, part.group)
            for part, bits in plan.items()
            if bits != WHOLE
        )
        # With an adapter merged in, no model has the exact weights.
        base = order.model if order.adapter is None else ""
        record = PackedRecord(parts, shared, base, trained.revision, order.method.value)
        write_packed_record(record, folder, order.out)
        save_beside_weights(trained, folder)
        adapters = [] if order.adapter is None else [order.adapter]
        carry_training_images(order.model, adapters, folder)
        chart = kept_chart(result.sizes, f"{public_name(order.model)}: size and answers kept")
        (folder / CHART_FILE).write_text(chart, encoding="utf-8")
        rows = [asdict(row) for row in result.sizes]
        write_json({"knee": result.knee, "sizes": rows}, folder / TABLE_FILE)
        card = quantized_card(result, public_name(order.model), rounder.learner.family)
        (folder / CARD_FILE).write_text(card, encoding="utf-8")
    return result
