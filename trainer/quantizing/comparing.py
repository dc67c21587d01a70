"""Every form of a model beside the one that was chosen: its size, and the answers that it keeps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from shared.program.reporting.progress import report_progress
from shared.questions.answers import exact_match
from shared.vqa.packed.folder import packed_tensors
from shared.vqa.quantization import Quantization
from trainer.export.checking import CheckedQuestions
from trainer.learners.families import load_learner
from trainer.learners.learner import Learner
from trainer.quantizing.kept import Kept, share_of
from trainer.quantizing.measuring.calibration import Calibration
from trainer.quantizing.measuring.measured import Measured
from trainer.quantizing.parts import BITS, WHOLE
from trainer.quantizing.planning import Planner, digest_of
from trainer.quantizing.rounding import Method
from trainer.quantizing.sensitivity import Plan, Rounder

MIXED, EXACT, BITSANDBYTES = "mixed", "exact", "bitsandbytes"
_BESIDE: Final = (2.6, 3.0, 3.5, 4.5)
"""Bits a weight of further plans."""
_BYTE: Final = 8


@dataclass(frozen=True, slots=True)
class Form:
    """A way to hold a model: what it is called, and how many bits each part gets."""

    name: str
    kind: str
    plan: Plan
    method: Method


def bits_budget(rounder: Rounder, bits: float) -> int:
    """Return how many bytes the parts may take for so many bits a weight, scales included."""
    return int(bits * rounder.weights / _BYTE)


def forms_beside(planner: Planner, chosen: Plan) -> list[Form]:
    """Return the chosen form, other plans, and every way that gives all parts the same bits."""
    rounder, method = planner.rounder, planner.method
    forms = [Form("chosen", MIXED, chosen, method)]
    fewest = rounder.bytes_of(rounder.all_in(BITS[0]))
    for bits in _BESIDE:
        budget = bits_budget(rounder, bits)
        if budget >= fewest:
            plan = planner.within(budget)
            if plan != chosen:
                forms.append(Form(f"{MIXED} {bits:g}", MIXED, plan, method))
    for other in dict.fromkeys([Method.NEAREST, Method.HQQ, method]):
        for number in BITS:
            plan = rounder.all_in(number)
            forms.append(Form(f"{other.value} {number}", other.value, plan, other))
    return forms


@dataclass(frozen=True, slots=True)
class Comparison:
    """Questions about images that no sensitivity was measured with."""

    rounder: Rounder
    questions: CheckedQuestions
    measured: Measured
    source: str

    def sizes(self, forms: Sequence[Form]) -> tuple[Kept, ...]:
        """Ask every form, NF4, int8 and the exact model, as far as they were not asked yet."""
        exact = Form("16 bits", EXACT, self.rounder.all_in(WHOLE), Method.NEAREST)
        whole, rows = self._answers(exact), []
        with report_progress("sizes compared", len(forms) + 2) as progress:
            for form in forms:
                rows.append(self._kept(form, self._answers(form), whole))
                progress.advance(note=form.name)
            for held in (Quantization.NF4, Quantization.INT8):
                rows.append(self._kept_as(held, whole))
                progress.advance(note=held.value)
        return (*rows, self._kept(exact, whole, whole))

    def _answers(self, form: Form) -> list[str]:
        key = f"answers {digest_of(form.plan, form.method)}"

        def ask() -> list[str]:
            with self.rounder.in_bits(form.plan, form.method):
                return self._asked(self.rounder.learner)

        answers: list[str] = self.measured.of(key, ask)
        return answers

    def _kept_as(self, held: Quantization, whole: Sequence[str]) -> Kept:
        def ask() -> dict[str, Any]:
            learner = load_learner(self.source, quantization=held)
            tensors, _ = packed_tensors(learner.model.network)
            size = sum(tensor.nbytes for tensor in tensors.values())
            return {"answers": self._asked(learner), "bytes": size}

        told = self.measured.of(f"answers as {held.value}", ask)
        form = Form(held.value, BITSANDBYTES, {}, Method.NEAREST)
        row = self._kept(form, told["answers"], whole)
        taken = told["bytes"] - self.rounder.other_bytes
        return replace(row, bytes=told["bytes"], bits=_BYTE * taken / self.rounder.weights)

    def _asked(self, learner: Learner[Any]) -> list[str]:
        asked = Calibration(learner, self.questions.pairs, self.questions.images)
        return asked.answers(asked.features())

    def _kept(self, form: Form, answers: Sequence[str], whole: Sequence[str]) -> Kept:
        pairs = self.questions.pairs
        images = [pair.filename for pair in pairs]
        right = [exact_match(said, pair.answer) for said, pair in zip(answers, pairs, strict=True)]
        size = self.rounder.bytes_of(form.plan)
        return Kept(
            name=form.name,
            method=form.kind,
            bits=_BYTE * size / self.rounder.weights,
            bytes=size + self.rounder.other_bytes,
            same=share_of(list(map(str.__eq__, answers, whole)), images),
            right=share_of(right, images),
        )
