"""Draws size against answers kept as one SVG file: a dot with its interval for each form."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final
from xml.etree import ElementTree as ET

from trainer.quantizing.kept import Kept, front, knee
from trainer.quantizing.labels import Area, Label, placed

WIDTH, HEIGHT = 760, 460
LEFT, RIGHT, TOP, BOTTOM = 56, 150, 34, 48
COLOURS: Final = {
    "mixed": "#c2410c",
    "gptq": "#2a6fb0",
    "hqq": "#2f855a",
    "nearest": "#7a7a7a",
    "bitsandbytes": "#7b3fa0",
    "exact": "#111111",
}
STYLE: Final = """
text { font: 11px sans-serif; fill: #333 } .title { font-weight: bold; font-size: 13px }
.grid { stroke: #e4e4e4 } .axis { stroke: #999 } .leader { stroke: #aaa; stroke-width: 0.7 }
.end { text-anchor: end } .middle { text-anchor: middle }
.front { fill: none; stroke: #bbb; stroke-dasharray: 4 3 } .background { fill: #fff }
.knee { fill: none; stroke: #c2410c; stroke-width: 2 }
.small { font-size: 9px; paint-order: stroke; stroke: #fff; stroke-width: 2px }
"""
_LINES: Final = 6
_DOT, _RING = 4, 8
"""Radii of a dot, and of the circle around the knee."""
_NAMES: Final = Area(LEFT, TOP - 10, WIDTH - RIGHT + 16, HEIGHT - BOTTOM)
"""Where names stand: below the title, within the axes, left of the legend."""


def kept_chart(rows: Sequence[Kept], title: str) -> str:
    """Return the drawing as SVG text that needs no other file."""
    svg = ET.Element(
        "svg",
        {"xmlns": "http://www.w3.org/2000/svg", "viewBox": f"0 0 {WIDTH} {HEIGHT}"}
        | {"width": str(WIDTH), "height": str(HEIGHT), "role": "img"},
    )
    ET.SubElement(svg, "title").text = title
    ET.SubElement(svg, "style").text = STYLE
    ET.SubElement(svg, "rect", {"class": "background", "width": "100%", "height": "100%"})
    _text(svg, "title", LEFT, 20, title)
    place = _Places(rows)
    _axes(svg, place)
    along = " ".join(
        f"{place.x(row.bytes):.1f},{place.y(row.same.share):.1f}" for row in front(rows)
    )
    ET.SubElement(svg, "polyline", {"class": "front", "points": along})
    dots = [(place.x(row.bytes), place.y(row.same.share)) for row in rows]
    best = knee(rows)
    radii = [_RING if row is best else _DOT for row in rows]
    labels = placed(dots, radii, [row.name for row in rows], _NAMES)
    for row, label in zip(rows, labels, strict=True):
        _dot(svg, place, row, label)
    _knee(svg, place, best)
    for number, method in enumerate(dict.fromkeys(row.method for row in rows)):
        y = TOP + 16 + 18 * number
        ET.SubElement(
            svg, "circle", {"cx": f"{WIDTH - RIGHT + 22}", "cy": f"{y - 4}", "r": "4"}
        ).set("fill", COLOURS[method])
        _text(svg, "", WIDTH - RIGHT + 32, y, method)
    return ET.tostring(svg, encoding="unicode") + "\n"


class _Places:
    """Bytes, by their logarithm, to x, and shares to y."""

    def __init__(self, rows: Sequence[Kept]) -> None:
        sizes = [row.bytes for row in rows]
        self.low, self.high = math.log(min(sizes) * 0.93), math.log(max(sizes) * 1.07)
        least = min(row.same.low for row in rows)
        self.floor = math.floor(least * 10) / 10

    def x(self, size: float) -> float:
        return LEFT + (math.log(size) - self.low) / (self.high - self.low) * (WIDTH - LEFT - RIGHT)

    def y(self, share: float) -> float:
        whole = HEIGHT - TOP - BOTTOM
        return HEIGHT - BOTTOM - (share - self.floor) / max(1 - self.floor, 0.1) * whole


def _axes(svg: ET.Element, place: _Places) -> None:
    tenths = round(10 * (1 - place.floor))
    lines = 2 * tenths if tenths < _LINES // 2 else max(tenths, 1)
    for number in range(lines + 1):
        share = place.floor + (1 - place.floor) * number / lines
        _line(svg, "grid", (LEFT, place.y(share)), (WIDTH - RIGHT, place.y(share)))
        _text(svg, "end", LEFT - 6, place.y(share) + 4, f"{100 * share:.0f} %")
    for number in range(_LINES + 1):
        size = math.exp(place.low + (place.high - place.low) * number / _LINES)
        x = place.x(size)
        _line(svg, "axis", (x, HEIGHT - BOTTOM), (x, HEIGHT - BOTTOM + 4))
        _text(svg, "middle", x, HEIGHT - BOTTOM + 17, f"{size / 1e6:.3g}")
    _line(svg, "axis", (LEFT, HEIGHT - BOTTOM), (WIDTH - RIGHT, HEIGHT - BOTTOM))
    _text(
        svg,
        "middle",
        (LEFT + WIDTH - RIGHT) / 2,
        HEIGHT - 10,
        "MB of weights, log scale; y: answers equal to the exact model's, 95 % intervals by image",
    )


def _dot(svg: ET.Element, place: _Places, row: Kept, label: Label) -> None:
    x, y = place.x(row.bytes), place.y(row.same.share)
    colour = COLOURS[row.method]
    bar = _line(svg, "", (x, place.y(row.same.low)), (x, place.y(row.same.high)))
    bar.set("stroke", colour)
    dot = ET.SubElement(svg, "circle", {"cx": f"{x:.1f}", "cy": f"{y:.1f}", "r": f"{_DOT}"})
    dot.set("fill", colour)
    ET.SubElement(
        dot, "title"
    ).text = f"{row.name}: {row.bytes / 1e6:.2f} MB, {100 * row.same.share:.1f} % of answers kept"
    if label.is_far:
        _line(svg, "leader", (x, y), (label.x, label.y - 3))
    _text(svg, "small end" if label.is_left else "small", label.x, label.y, row.name)


def _knee(svg: ET.Element, place: _Places, row: Kept) -> None:
    x, y = place.x(row.bytes), place.y(row.same.share)
    ET.SubElement(
        svg, "circle", {"class": "knee", "cx": f"{x:.1f}", "cy": f"{y:.1f}", "r": f"{_RING}"}
    )
    _text(svg, "", WIDTH - RIGHT + 16, HEIGHT - BOTTOM - 20, "knee:")
    _text(svg, "", WIDTH - RIGHT + 16, HEIGHT - BOTTOM - 6, row.name)


def _text(parent: ET.Element, kind: str, x: float, y: float, text: str) -> None:
    element = ET.SubElement(parent, "text", {"class": kind, "x": f"{x:.1f}", "y": f"{y:.1f}"})
    element.text = text


def _line(
    parent: ET.Element, kind: str, start: tuple[float, float], end: tuple[float, float]
) -> ET.Element:
    (x1, y1), (x2, y2) = start, end
    places = {"x1": x1, "y1": y1, "x2": x2, "y2": y2}
    return ET.SubElement(
        parent, "line", {"class": kind} | {name: f"{value:.1f}" for name, value in places.items()}
    )
