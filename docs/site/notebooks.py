"""Executed notebooks as pages: their texts, code and outputs as they were kept."""

from __future__ import annotations

import html
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat


def notebook_page(path: Path) -> str:
    """Return a notebook as Markdown, with its outputs."""
    notebook = nbformat.read(path, as_version=4)
    return "".join(part for cell in notebook.cells for part in _cell(cell))


def _cell(cell: Any) -> Iterator[str]:  # noqa: ANN401
    if cell.cell_type == "markdown":
        yield f"{cell.source}\n\n"
        return
    yield f"```python\n{cell.source}\n```\n\n"
    for output in cell.outputs:
        yield _output(output)


def _output(output: Any) -> str:  # noqa: ANN401
    """Return an output; HTML in one block, which Markdown leaves as it is."""
    if output.output_type == "stream":
        return _block(f"<pre>{html.escape(output.text)}</pre>")
    data = output.get("data", {})
    if "image/png" in data:
        return _block(f'<img alt="" src="data:image/png;base64,{data["image/png"].strip()}">')
    if "text/html" in data:
        return _block(data["text/html"])
    return _block(f"<pre>{html.escape(data.get('text/plain', ''))}</pre>")


def _block(inner: str) -> str:
    # An empty line would end the block.
    lines = "\n".join(line or "&nbsp;" for line in inner.strip().splitlines())
    return f'<div class="notebook-output">{lines}</div>\n\n'
