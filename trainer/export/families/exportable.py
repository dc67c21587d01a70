"""A loaded model as the graphs that answer for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.vqa.loaded import LoadedModel
from trainer.export.graphs import Graph


@dataclass(frozen=True)
class Exportable:
    """What is written into a bundle: graphs by name, and what its manifest says of the family.

    ``family`` is one of ``shared.onnx_vqa.manifest``, whose runtime runs the graphs.
    """

    model: LoadedModel
    family: str
    graphs: Mapping[str, Graph]
    stated: Mapping[str, Any]
