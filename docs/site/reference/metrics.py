"""The reference of metrics: each of the registry, with what its modules say of it."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator

from docs.site.reference.markdown import code, plain, table, with_code
from docs.site.reference.sources import members_said
from evaluator.metrics.metric import Metric
from evaluator.metrics.registry import METRICS
from evaluator.metrics.text_models.loaded import TextModel


def metrics_page() -> str:
    """Return the page of metrics."""
    rows = (
        (f"[{code(each.name)}](#{each.name})", plain(each.label), _when(each), _bounds(each))
        for each in METRICS.values()
    )
    head = (
        "# Metrics by name\n\n"
        "What each one means, and which others go by its name, is told in "
        "[metrics](../metrics.md).\n\n"
    )
    overview = table(["name", "label", "computed", "bounds"], rows)
    return head + overview + "".join(part for each in METRICS.values() for part in _metric(each))


def _when(metric: Metric) -> str:
    if metric.by_default:
        return "by default"
    if metric.by_default_of_several:
        return f"by default of {metric.fewest_references} references and more"
    groups = ", ".join(code(str(group.value)) for group in sorted(metric.groups))
    return f"by its name, or with {groups}" if groups else "by its name"


def _bounds(metric: Metric) -> str:
    low, high = metric.bounds
    return f"{low:g} to {high:g}"


def _metric(metric: Metric) -> Iterator[str]:
    yield f"## {metric.name}\n\n"
    module = sys.modules[_home(metric)]
    for paragraph in (inspect.getdoc(module) or "").split("\n\n"):
        yield f"{with_code(paragraph)}\n\n"
    said = members_said(TextModel)
    needs = [with_code(said[model.name]) for model in TextModel if model in metric.models]
    needs += [f"the column {code(metric.regions.value)}"] if metric.regions else []
    needs += [f"the package {code(metric.library)}"] if metric.library else []
    if metric.fewest_references > 1:
        needs.append(f"{metric.fewest_references} references of a row")
    figure = "a figure of the set" if metric.corpus else "a mean of rows"
    yield f"Needs {', '.join(needs)}; " if needs else ""
    yield f"is {figure}.\n\n" if needs else f"Is {figure}.\n\n"


def _home(metric: Metric) -> str:
    """Return the module whose ``METRIC`` it is."""
    return next(
        name
        for name, module in list(sys.modules.items())
        if name.startswith("evaluator.metrics.") and getattr(module, "METRIC", None) is metric
    )
