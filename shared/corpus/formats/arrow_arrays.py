"""Arrow arrays of Python's values, for tables that are written.

``pyarrow.array`` asks pandas first whether it knows the values, and so imports it wherever it is
installed, which takes longer than to write 50,000 rows. Texts, numbers and truths need no look.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa


def array_of(cells: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """Return cells as an array of ``kind``; ``None`` is null.

    Raises:
        TypeError, ValueError, pyarrow.ArrowException: a cell is of another kind.
    """
    if all(cell is None for cell in cells):
        return pa.nulls(len(cells), kind)
    if kind == pa.string():
        texts = pa.lib.StringBuilder()
        texts.append_values(cells)
        return texts.finish()
    if kind == pa.float64():
        values = np.array(cells, dtype=np.float64)
        return _of_buffer(kind, cells, values)
    if kind == pa.bool_():
        return _of_buffer(kind, cells, _bits([bool(cell) for cell in cells]))
    return pa.array(cells, kind)


def _of_buffer(kind: pa.DataType, cells: Sequence[Any], values: np.ndarray) -> pa.Array:
    valid = [cell is not None for cell in cells]
    present = None if all(valid) else pa.py_buffer(_bits(valid))
    return pa.Array.from_buffers(kind, len(cells), [present, pa.py_buffer(values)])


def _bits(truths: Sequence[bool]) -> np.ndarray:
    return np.packbits(np.array(truths, dtype=np.bool_), bitorder="little")
