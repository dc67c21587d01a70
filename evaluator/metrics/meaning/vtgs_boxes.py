"""VTGS against boxes: the answer's region is compared with where the object of the question is.

Looking where the question points and looking at the object are two things, so this is a metric of
its own. The formula is that of VTGS, for the rows that have boxes:

>>> import numpy as np
>>> from evaluator.metrics.meaning.vtgs import jaccard, vtgs
>>> answer, boxes = np.array([[True, True, False]]), np.array([[True, False, False]])
>>> vtgs(np.array([0.5]), jaccard(answer, boxes))
array([0.5])
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from evaluator.metrics.meaning.vtgs import grounded, grounded_definition
from evaluator.metrics.metric import Metric
from evaluator.metrics.rows import Regions
from evaluator.metrics.text_models.loaded import TextModel, TextModels
from shared.records.patches import BOX_RULE

NAME: Final = "vtgs_boxes"


def _definition(models: TextModels, provenance: Mapping[str, Any]) -> str:
    return f"{grounded_definition(models, provenance, NAME)}|against boxes: {BOX_RULE}"


METRIC: Final = Metric(
    name=NAME,
    label="VTGS (boxes)",
    score=lambda rows, models: grounded(rows, models, NAME, Regions.BOXES),
    definition=_definition,
    models=frozenset({TextModel.SENTENCES}),
    regions=Regions.BOXES,
    shows_spread=True,
)
