"""Which metrics are computed: those that are asked for, or that the data has what it takes for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from evaluator.metrics.meaning import vtgs, vtgs_boxes
from evaluator.metrics.metric import Metric, MetricGroup
from evaluator.metrics.registry import METRICS
from shared.errors import InputError
from shared.program.command_line.nearest import nearest
from shared.records import QAPair


def default_metrics() -> tuple[Metric, ...]:
    """Return what is computed of any data unless told otherwise, see ``metrics_for``."""
    return tuple(metric for metric in METRICS.values() if metric.by_default)


def with_boxes(metrics: Sequence[Metric]) -> tuple[Metric, ...]:
    """Return metrics for data that has boxes: VTGS against them too, where VTGS is asked for."""
    if vtgs.METRIC not in metrics or vtgs_boxes.METRIC in metrics:
        return tuple(metrics)
    after = metrics.index(vtgs.METRIC) + 1
    return (*metrics[:after], vtgs_boxes.METRIC, *metrics[after:])


def metrics_for(pairs: Iterable[QAPair]) -> tuple[Metric, ...]:
    """Return the metrics of the AIM825 report, and what else the data has what it takes for.

    VTGS against boxes where a pair has some, soft accuracy where one has several references, and
    VQA v2's own where one has enough of them.
    """
    rows = list(pairs)
    metrics = default_metrics()
    if any(pair.boxes for pair in rows):
        metrics = with_boxes(metrics)
    most = max((len(pair.references) for pair in rows), default=0)
    of_several = [metric for metric in METRICS.values() if metric.by_default_of_several]
    return (*metrics, *(metric for metric in of_several if most >= metric.fewest_references))


def require_several_references(metrics: Iterable[Metric], pairs: Iterable[QAPair]) -> None:
    """Check that what asks how many people agree, where it is asked for, has a row to score.

    Raises:
        InputError: every row has too few references.
    """
    asked = [metric for metric in metrics if metric.fewest_references > 1]
    most = max((len(pair.references) for pair in pairs), default=0) if asked else 0
    for metric in asked:
        if most < metric.fewest_references:
            several = _at_least(metric.fewest_references)
            raise InputError(
                f"--metrics {metric}: no row has {several} references; give them as a list in a "
                f"column `answers`, or leave {metric} out"
            )


def parse_metrics(
    text: str, has_tool: Callable[[Metric], bool] = lambda _: True
) -> tuple[Metric, ...]:
    """Return the metrics of a list with commas, in its order, each once.

    Args:
        text: names of metrics and of groups, see ``MetricGroup``.
        has_tool: whether a metric's tool is here; a group leaves the others out.

    Raises:
        InputError: the list is empty or holds an unknown name; the nearest known one is named.
    """
    names = [name.strip().lower() for name in text.split(",") if name.strip()]
    options = [*METRICS, *MetricGroup]
    chosen: list[Metric] = []
    for name in names:
        if name in METRICS:
            chosen.append(METRICS[name])
        elif name in options:
            chosen += filter(has_tool, _of_group(MetricGroup(name)))
        else:
            near = nearest(name, options)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise InputError(f"--metrics {name!r}: {hint}known metrics: {', '.join(options)}")
    if not names:
        raise InputError(f"--metrics: names no metric; known metrics: {', '.join(options)}")
    return tuple(dict.fromkeys(chosen))


def one_metric(text: str) -> Metric:
    """Return the metric that a name after ``--metric`` means.

    Raises:
        InputError: it is the name of no metric, or of several; the nearest known one is named.
    """
    name = text.strip().lower()
    if name not in METRICS:
        near = nearest(name, METRICS)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise InputError(f"--metric {text!r}: {hint}give one of {', '.join(METRICS)}")
    return METRICS[name]


def has_tool(metric: Metric) -> bool:
    """Return whether what ``metric`` needs is installed."""
    return metric.has_tool


def require_tools(metrics: Iterable[Metric]) -> None:
    """Check that the tools of ``metrics`` are here, before anything is computed.

    Raises:
        ToolMissing: one is not; the message says the way out.
    """
    for metric in metrics:
        metric.require_tool()


def _of_group(group: MetricGroup) -> list[Metric]:
    return [metric for metric in METRICS.values() if group in metric.groups]


def _at_least(references: int) -> str:
    return "several" if references == 2 else f"{references} or more"  # noqa: PLR2004 (any two)
