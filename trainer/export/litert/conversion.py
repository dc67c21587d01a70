"""Hands torch programs to the converter, in the environment that has it."""

from __future__ import annotations

import subprocess
import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import torch

from shared.errors import AboVqaError, InputError
from trainer.export.families.exportable import Exportable
from trainer.export.litert import converter
from trainer.export.quiet import quiet_logging

PACKAGE: Final = "litert-torch"
_MODULE: Final = "litert_torch"
_WAY_OUT: Final = (
    f"python -m venv converter && converter/bin/pip install {PACKAGE}, and --litert-python "
    "converter/bin/python (it wants older packages than the trainer, so that it lives apart)"
)


class NotConverted(AboVqaError):
    """LiteRT's converter failed."""


def require_converter(python: Path | None) -> None:
    """Check that a Python has the converter.

    Raises:
        InputError: it has not, or none was named.
    """
    if python is None:
        raise InputError(f"--to litert needs {PACKAGE} in an environment of its own: {_WAY_OUT}")
    seek = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({_MODULE!r}) is None)"
    try:
        found = subprocess.run([python, "-c", seek], capture_output=True, check=False)  # noqa: S603 (named by the user)
    except OSError as error:
        raise InputError(f"--litert-python {python}: does not start ({error.strerror})") from error
    if found.returncode:
        raise InputError(f"--litert-python {python}: has no {PACKAGE}; {_WAY_OUT}")


def write_converted(
    exportable: Exportable, folder: Path, variants: Sequence[str], python: Path
) -> Iterator[str]:
    """Write each graph for LiteRT as ``NAME.VARIANT.tflite``; yields what is being done.

    Raises:
        NotConverted: the converter failed; its last line is told.
    """
    for name, graph in exportable.graphs.items():
        with quiet_logging(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.export.export(graph.module.eval(), (), kwargs=dict(graph.inputs))
            torch.export.save(program, folder / f"{name}.pt2")
        yield name
    words = [python, converter.__file__, folder, *variants]
    ran = subprocess.run(  # noqa: S603 (named by the user)
        list(map(str, words)), capture_output=True, text=True, check=False
    )
    if ran.returncode:
        last = deque(ran.stderr.splitlines(), maxlen=1)
        raise NotConverted(f"{PACKAGE}: {last[0] if last else f'exit code {ran.returncode}'}")
