"""Draws a sweep as one SVG file: a panel for each setting, and one for the epochs.

In a setting's panel every trial is a dot over its value (hollow where it was stopped early), the
bar is the mean of the value's combinations, and the dashed line is the base alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree as ET

from trainer.sweep.findings import Effect, Findings
from trainer.sweep.outcome import Outcome, State

PANEL_WIDTH, PANEL_HEIGHT = 300, 260
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 30, 44
PER_ROW: Final = 3
FOOT: Final = 26
STEPS: Final = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
"""Distances between grid lines, in shares."""
GRID_LINES: Final = 6
LEGEND: Final = (
    "held-out exact match; a dot is a trial (hollow: stopped early), a bar the mean, "
    "the dashed line the base alone"
)
LABEL_LETTERS: Final = 14
Point = tuple[float, float]
STYLE: Final = """
text { font: 11px sans-serif; fill: #333 } .title { font-weight: bold; font-size: 13px }
.axis { stroke: #999 } .grid { stroke: #e4e4e4 } .base { stroke: #b33; stroke-dasharray: 5 3 }
.dot { fill: #2a6fb0; fill-opacity: .55; stroke: #2a6fb0 } .stopped { fill: #fff }
.mean { stroke: #111; stroke-width: 2.5 } .curve { fill: none; stroke: #2a6fb0; stroke-opacity: .6 }
.end { text-anchor: end } .note { fill: #b33; font-size: 10px }
.legend { font-size: 10px } .middle { text-anchor: middle } .background { fill: #fff }
"""


@dataclass(frozen=True, slots=True)
class _Scale:
    """Exact match to y, within one panel; ``grid`` are round scores, the lowest at the bottom."""

    grid: tuple[float, ...]

    @classmethod
    def around(cls, low: float, high: float) -> _Scale:
        """Return the finest round scale that holds both with few lines."""
        for step in STEPS:
            first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
            if last - first < GRID_LINES:
                break
        return cls(tuple(number * step for number in range(first, max(last, first + 1) + 1)))

    def y(self, score: float) -> float:
        share = (score - self.grid[0]) / (self.grid[-1] - self.grid[0])
        return round(PANEL_HEIGHT - BOTTOM - share * (PANEL_HEIGHT - TOP - BOTTOM), 1)


def sweep_chart(findings: Findings, epochs: int) -> str:
    """Return the drawing as SVG text that needs no other file."""
    scale = _scale(findings)
    drawn = [outcome for outcome in findings.outcomes if outcome.held_out]
    panels = [_setting_panel(effect, drawn, scale, findings.base) for effect in findings.effects]
    panels.append(_epochs_panel(drawn, scale, findings.base, epochs))
    columns = min(PER_ROW, len(panels))
    rows = -(-len(panels) // PER_ROW)
    width, height = columns * PANEL_WIDTH, rows * PANEL_HEIGHT + FOOT
    svg = ET.Element(
        "svg",
        {"xmlns": "http://www.w3.org/2000/svg", "viewBox": f"0 0 {width} {height}"}
        | {"width": str(width), "height": str(height), "role": "img"},
    )
    ET.SubElement(svg, "title").text = "Held-out exact match by setting"
    ET.SubElement(svg, "style").text = STYLE
    ET.SubElement(svg, "rect", {"class": "background", "width": "100%", "height": "100%"})
    for number, panel in enumerate(panels):
        row, column = divmod(number, PER_ROW)
        panel.set("transform", f"translate({column * PANEL_WIDTH} {row * PANEL_HEIGHT})")
        svg.append(panel)
    _text(svg, "legend", 12, height - 10, LEGEND)
    return ET.tostring(svg, encoding="unicode") + "\n"


def _scale(findings: Findings) -> _Scale:
    scores = [score for outcome in findings.outcomes for score in outcome.held_out]
    scores += [findings.base] if findings.base is not None else []
    margin = max(0.02, 0.08 * (max(scores) - min(scores)))
    return _Scale.around(max(0.0, min(scores) - margin), min(1.0, max(scores) + margin))


def _setting_panel(
    effect: Effect, outcomes: Sequence[Outcome], scale: _Scale, base: float | None
) -> ET.Element:
    panel = _panel(effect.setting, scale, base)
    step = (PANEL_WIDTH - LEFT - RIGHT) / len(effect.marginals)
    for place, marginal in enumerate(effect.marginals):
        middle = LEFT + step * (place + 0.5)
        ours = [o for o in outcomes if o.trial.combination.value(effect.setting) == marginal.value]
        for number, outcome in enumerate(ours):
            x = middle + (number - (len(ours) - 1) / 2) * min(7, 0.6 * step / len(ours))
            _dot(panel, x, scale.y(max(outcome.held_out)), outcome)
        y, half = scale.y(marginal.mean), min(26, 0.4 * step)
        _line(panel, "mean", (middle - half, y), (middle + half, y))
        _label(panel, middle, marginal.value)
    return panel


def _epochs_panel(
    outcomes: Sequence[Outcome], scale: _Scale, base: float | None, epochs: int
) -> ET.Element:
    panel = _panel("epoch", scale, base)
    step = (PANEL_WIDTH - LEFT - RIGHT) / epochs
    for outcome in outcomes:
        points = [
            (LEFT + step * (epoch + 0.5), scale.y(score))
            for epoch, score in enumerate(outcome.held_out)
        ]
        path = " ".join(f"{x:.1f},{y}" for x, y in points)
        ET.SubElement(panel, "polyline", {"class": "curve", "points": path})
        _dot(panel, *points[-1], outcome)
    for epoch in range(0, epochs, max(1, epochs // 8)):
        _label(panel, LEFT + step * (epoch + 0.5), str(epoch + 1))
    return panel


def _panel(title: str, scale: _Scale, base: float | None) -> ET.Element:
    panel = ET.Element("g")
    _text(panel, "title", LEFT, TOP - 12, title)
    right = PANEL_WIDTH - RIGHT
    for score in scale.grid:
        y = scale.y(score)
        _line(panel, "axis" if score == scale.grid[0] else "grid", (LEFT, y), (right, y))
        _text(panel, "end", LEFT - 5, y + 4, f"{100 * score:.4g} %")
    if base is not None:
        y = scale.y(base)
        _line(panel, "base", (LEFT, y), (right, y))
        _text(panel, "end note", right, y - 4, "base alone")
    return panel


def _dot(panel: ET.Element, x: float, y: float, outcome: Outcome) -> None:
    kind = "dot" if outcome.state is State.FINISHED else "dot stopped"
    dot = ET.SubElement(
        panel, "circle", {"class": kind, "cx": f"{x:.1f}", "cy": f"{y}", "r": "3.5"}
    )
    ET.SubElement(
        dot, "title"
    ).text = f"{outcome.trial.name}: {max(outcome.held_out):.4f} ({outcome.state.value})"


def _label(panel: ET.Element, x: float, text: str) -> None:
    short = text if len(text) <= LABEL_LETTERS else text[: LABEL_LETTERS - 1] + "…"
    label = _text(panel, "middle", x, PANEL_HEIGHT - BOTTOM + 16, short)
    ET.SubElement(label, "title").text = text


def _text(panel: ET.Element, kind: str, x: float, y: float, text: str) -> ET.Element:
    element = ET.SubElement(panel, "text", {"class": kind, "x": f"{x:.1f}", "y": f"{y:.1f}"})
    element.text = text
    return element


def _line(panel: ET.Element, kind: str, start: Point, end: Point) -> None:
    (x1, y1), (x2, y2) = start, end
    ends = {"x1": x1, "y1": y1, "x2": x2, "y2": y2}
    ET.SubElement(panel, "line", {"class": kind} | {n: f"{v:.1f}" for n, v in ends.items()})
