"""What a calibration came to, on a terminal."""

from __future__ import annotations

from collections.abc import Mapping

from rich import box
from rich.markup import escape
from rich.table import Table

from evaluator.answering.sureness import Sureness
from evaluator.calibrating.checking import Checked


def check_table(found: Mapping[str, Checked]) -> Table:
    """Return the runs as columns: the one fitted on, and the one that it was checked on."""
    table = Table(
        title="Sure answers, and the accuracy of the surest share; 95 % intervals by units",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    table.add_column("")
    for name in found:
        table.add_column(escape(name), justify="right", overflow="fold")
    each = list(found.values())
    table.add_row("answers", *(f"{of.n:,}" for of in each))
    table.add_row("sure", *(_share(of.coverage, of.coverage_ci95) for of in each))
    table.add_row("right where sure", *(_share(of.accuracy, of.accuracy_ci95) for of in each))
    for place, at in enumerate(each[0].at_coverage):
        shares = (of.at_coverage[place] for of in each)
        name = f"right in the surest {100 * at.coverage:z.0f} %"
        table.add_row(name, *(_share(share.accuracy, share.ci95) for share in shares))
    for name, values in (
        ("calibration error, before and after", [of.ece for of in each]),
        ("log loss, before and after", [of.log_loss for of in each]),
    ):
        table.add_row(name, *(f"{before:z.3f}  {after:z.3f}" for before, after in values))
    return table


def verdict(sureness: Sureness, check: Checked, wanted: float | None) -> str:
    """Return what the check says, in words."""
    told = (
        f"Sure from a chance of {sureness.threshold:z.3f} on (temperature "
        f"{sureness.temperature:z.2f}): on other pictures {100 * check.coverage:z.1f} % of the "
        "answers are sure"
    )
    if check.accuracy is None:
        return f"{told}, so nothing is known of how often they are right."
    told += f", and {100 * check.accuracy:z.1f} % of these are right"
    if wanted is None or check.accuracy_ci95 is None:
        return f"{told}."
    low, high = check.accuracy_ci95
    if low <= wanted <= high:
        return f"{told}; the wanted {100 * wanted:g} % lie within the interval."
    side = "More" if low > wanted else "Fewer"
    return f"{told}. {side} than the wanted {100 * wanted:g} %: the interval leaves them out."


def _share(value: float | None, ci95: tuple[float, float] | None) -> str:
    if value is None:
        return "-"
    interval = "" if ci95 is None else f" ({100 * ci95[0]:z.1f} to {100 * ci95[1]:z.1f})"
    return f"{100 * value:z.1f} %{interval}"
