"""Runs the notebooks and keeps what they show: ``python -m docs.site.execute``."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path
from typing import Any, Final

import nbformat
from nbclient import NotebookClient

NOTEBOOKS: Final = Path(__file__).parents[1] / "notebooks"
LONGEST_S: Final = 120
"""For a cell."""
_PROGRESS: Final = re.compile(r"[a-z -]+: \d+(/| of )\d+")


def executed(path: Path, folder: Path) -> Any:  # noqa: ANN401 - nbformat gives no type
    """Return a notebook with its outputs, run in ``folder`` by a kernel of this environment.

    Of standard error, progress alone is kept: what libraries warn of is another on each machine.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell failed.
    """
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=LONGEST_S,
        record_timing=False,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
    )
    offline = {"ABO_VQA_CACHE": str(folder / "cache"), "HF_HUB_OFFLINE": "1"}
    client.execute(env=os.environ | offline)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if _is_shown(output)]
    return notebook


def _is_shown(output: Any) -> bool:  # noqa: ANN401
    return output.get("name") != "stderr" or bool(_PROGRESS.match(output["text"]))


def main() -> None:
    """Run each notebook in a folder of its own, and write it with its outputs."""
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        with tempfile.TemporaryDirectory() as folder:
            nbformat.write(executed(path, Path(folder)), path)


if __name__ == "__main__":
    main()
