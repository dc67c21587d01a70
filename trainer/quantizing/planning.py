"""The plan that is taken within a budget: the knapsack's, unless one width for all loses less."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from trainer.quantizing.allocation import Choice, allocate
from trainer.quantizing.measuring.calibration import Exact
from trainer.quantizing.measuring.measured import Measured
from trainer.quantizing.parts import BITS
from trainer.quantizing.rounding import Method
from trainer.quantizing.sensitivity import Plan, Rounder


@dataclass(frozen=True, slots=True)
class Planner:
    """What each part loses alone, and what measures what plans lose together."""

    rounder: Rounder
    method: Method
    choices: Mapping[str, Sequence[Choice]]
    exact: Exact
    measured: Measured

    def within(self, budget: int) -> Plan:
        """Return the plan that loses least, measured together, within a budget of bytes of parts.

        What parts lose alone does not quite add up. So the knapsack's plan is measured beside the
        widest that gives all parts the same bits, and the knapsack's in which no part has fewer.

        Raises:
            InputError: even the fewest bits take more.
        """
        plans = [least_within(self.rounder, self.choices, budget)]
        fitting = [
            bits for bits in BITS if self.rounder.bytes_of(self.rounder.all_in(bits)) <= budget
        ]
        if fitting:
            widest = max(fitting)
            no_fewer = {
                name: [choice for choice in of_part if choice.bits >= widest]
                for name, of_part in self.choices.items()
            }
            plans.append(least_within(self.rounder, no_fewer, budget))
            plans.append(self.rounder.all_in(widest))
        distinct = [plan for place, plan in enumerate(plans) if plan not in plans[:place]]
        return min(distinct, key=self._lost) if len(distinct) > 1 else distinct[0]

    def _lost(self, plan: Plan) -> float:
        def measure() -> float:
            with self.rounder.in_bits(plan, self.method):
                return self.exact.lost(sees_otherwise=True)

        lost: float = self.measured.of(f"together {digest_of(plan, self.method)}", measure)
        return lost


def least_within(rounder: Rounder, choices: Mapping[str, Sequence[Choice]], budget: int) -> Plan:
    """Return the plan whose parts lose least, added up, within a budget of bytes of the parts.

    Raises:
        InputError: even the fewest bits take more.
    """
    chosen = allocate(choices, budget)
    return {part: chosen[part.name].bits for part in rounder.parts}


def digest_of(plan: Plan, method: Method) -> str:
    """Return what tells plans of one model apart, short."""
    of = json.dumps([method, *plan.values()])
    return hashlib.sha256(of.encode()).hexdigest()[:16]
