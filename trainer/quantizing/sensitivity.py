"""A network whose parts can be rounded for a while, and what each loses when it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, Final

import torch

from shared.program.reporting.progress import report_progress
from shared.vqa.packed.folder import packed_tensors
from shared.vqa.packed.grid import Grid
from trainer.learners.learner import Learner
from trainer.quantizing.allocation import Choice
from trainer.quantizing.measuring.calibration import Exact
from trainer.quantizing.measuring.measured import Measured
from trainer.quantizing.parts import BITS, WHOLE, Part, parts_of, put, rounded_alone
from trainer.quantizing.rounding import InputSums, Method, rounded

Plan = Mapping[Part, int]
"""How many bits each part gets."""
_HEADER_BYTES: Final = 160
"""At most, of a tensor in the header of a file of safetensors."""


class Rounder:
    """Rounds the parts of a learner's network."""

    def __init__(self, learner: Learner[Any]) -> None:
        self.learner, self.network = learner, learner.model.network
        self.parts, self._inputs = parts_of(self.network), InputSums()
        kept, _ = packed_tensors(self.network)
        whole = sum(tensor.nbytes for tensor in kept.values())
        headers = _HEADER_BYTES * (len(kept) + 2 * len(self.parts))
        self.other_bytes = whole + headers - self.bytes_of(self.all_in(WHOLE))
        """What a file has besides the parts, at most."""

    def all_in(self, bits: int) -> dict[Part, int]:
        """Return the plan that gives every part the same bits."""
        return dict.fromkeys(self.parts, bits)

    @staticmethod
    def bytes_of(plan: Plan) -> int:
        """Return what the parts of a plan take."""
        return sum(part.bytes_at(bits) for part, bits in plan.items())

    @property
    def weights(self) -> int:
        """How many weights the parts have."""
        return sum(part.weights for part in self.parts)

    def watch(self, exact: Exact) -> None:
        """See what goes into the layers, which GPTQ rounds by."""
        exact.run_through(self._inputs.watching(self.network, self.parts))

    def rounded(self, part: Part, bits: int, method: Method) -> tuple[Grid, torch.Tensor]:
        """Return a part's grid and codes."""
        weight = self.network.get_submodule(part.name).weight
        return rounded(weight, part, bits, method, self._inputs.of(part))

    @contextmanager
    def in_bits(self, plan: Plan, method: Method) -> Iterator[None]:
        """Have the network rounded by a plan for the time of the block."""
        with ExitStack() as stack:
            for part, bits in plan.items():
                if bits != WHOLE:
                    made = self.rounded(part, bits, method)
                    stack.enter_context(rounded_alone(self.network, part, *made))
            yield

    def round_for_good(self, plan: Plan, method: Method) -> None:
        """Round the network by a plan."""
        for part, bits in plan.items():
            if bits != WHOLE:
                put(self.network, part, *self.rounded(part, bits, method))


def measured_choices(
    rounder: Rounder, method: Method, exact: Exact, measured: Measured
) -> dict[str, list[Choice]]:
    """Measure what each part alone loses in each number of bits, as far as it is not known yet."""
    done = sum(_key(part, bits) in measured for part in rounder.parts for bits in BITS)
    choices: dict[str, list[Choice]] = {}
    with report_progress("sensitivities", len(rounder.parts) * len(BITS), done=done) as progress:
        for part in rounder.parts:
            choices[part.name] = [Choice(WHOLE, part.bytes_at(WHOLE), 0.0)]
            for bits in BITS:
                known = _key(part, bits) in measured
                loss = measured.of(_key(part, bits), _losing(rounder, exact, part, bits, method))
                choices[part.name].append(Choice(bits, part.bytes_at(bits), loss))
                if not known:
                    progress.advance(note=f"{part.name}, {bits} bits")
    return choices


def _losing(
    rounder: Rounder, exact: Exact, part: Part, bits: int, method: Method
) -> Callable[[], float]:
    def measure() -> float:
        sees = part.name.startswith(tuple(f"{it}." for it in rounder.learner.image_encoder))
        with rounder.in_bits({part: bits}, method):
            return exact.lost(sees_otherwise=sees)

    return measure


def _key(part: Part, bits: int) -> str:
    return f"{part.name} {bits}"
