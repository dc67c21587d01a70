"""How much the answers of two runs vary, for the number of pictures that the next one needs."""

from __future__ import annotations

import numpy as np

from evaluator.comparing.comparable import common_metrics, same_rows
from evaluator.comparing.deciding.power import Variation, measured
from evaluator.comparing.pairing import units_between
from evaluator.metrics.choice import one_metric
from evaluator.metrics.registry import corpus_figure
from evaluator.runs.folder import Run
from shared.dataset.units import independent_unit
from shared.errors import InputError


def variation_of_runs(base: Run, other: Run, metric: str) -> tuple[Variation, str, int]:
    """Return the variation of a metric's differences, what a unit is, and how many there are.

    Raises:
        InputError: the runs cannot be compared, lack the metric, or have one unit.
    """
    wanted = one_metric(metric)
    if corpus_figure(wanted.name):
        raise InputError(
            f"--metric {wanted}: is a figure of the whole set, so that no answer has a score and "
            "nothing tells how differences vary; both have: "
            f"{', '.join(common_metrics(base, other, None))}"
        )
    [name] = common_metrics(base, other, [wanted])
    rows = np.array(same_rows(base, other).rows)
    gains_N = other.columns[name][rows[:, 1]] - base.columns[name][rows[:, 0]]
    known_N = ~np.isnan(gains_N)
    units = units_between(base, other)
    pairs = [base.predictions[row].pair for row in rows[known_N, 0]]
    _, place_N = np.unique([units[pair.filename] for pair in pairs], return_inverse=True)
    noun = independent_unit(pairs).partition(",")[0]
    count = len(set(place_N.tolist()))
    if count < 2:  # noqa: PLR2004 (one unit says nothing about others)
        raise InputError(f"{base.name} and {other.name}: too few {noun}s to tell how they vary")
    variation = measured(gains_N[known_N], place_N)
    if not variation.variance:
        raise InputError(
            f"{base.name} and {other.name}: {name} differs by as much on each {noun}, so "
            "nothing tells how differences "
            "vary; leave the runs out and give --changed"
        )
    return variation, noun, count
