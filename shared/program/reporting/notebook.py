"""Tables of a terminal as HTML, for notebooks."""

from __future__ import annotations

import io

from rich.console import Console, RenderableType

WIDTH = 110
"""Characters; as wide as a notebook's page."""
_CODE_FORMAT = (
    '<pre style="white-space:pre;overflow-x:auto;line-height:normal;'
    "font-family:Menlo,'DejaVu Sans Mono',consolas,monospace\">{code}</pre>"
)


def html_of(*shown: RenderableType) -> str:
    """Return what a terminal would show of these, one below the other, with all text escaped."""
    console = Console(
        record=True,
        width=WIDTH,
        file=io.StringIO(),
        force_terminal=True,
        force_jupyter=False,
        highlight=False,
    )
    console.print(*shown, sep="\n")
    return console.export_html(inline_styles=True, code_format=_CODE_FORMAT)
