"""SPICE (Anderson et al. 2016) through pycocoevalcap, where its parser is present.

pycocoevalcap ships SPICE without the parser of Stanford CoreNLP 3.6.0 and fetches it, 400 MB, when
it is first used. A metric must not start a download by itself, so the parser has to be there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from evaluator.metrics.metric import Metric, MetricGroup, against_all, of_texts
from evaluator.metrics.tools import (
    CAPTIONING,
    ToolMissing,
    named_version,
    require_folder,
    require_java,
    require_module,
)
from shared.questions.answers import spaced

NAME: Final = "spice"
PARSER: Final = ("stanford-corenlp-3.6.0.jar", "stanford-corenlp-3.6.0-models.jar")
"""What ``pycocoevalcap/spice/lib`` must hold."""


def spice(answers: Sequence[str], references: Sequence[tuple[str, ...]]) -> NDArray[np.float64]:
    """Return each row's SPICE, the F of matching scene graphs, shape (N,), in [0, 1].

    Raises:
        ToolMissing: pycocoevalcap, Java or the parser is not there.
    """
    require_spice()
    tool = require_module(NAME, "pycocoevalcap.spice.spice", CAPTIONING).Spice()
    rows = [
        (spaced(answer), tuple(spaced(reference) for reference in several))
        for answer, several in zip(answers, references, strict=True)
    ]
    distinct = list(dict.fromkeys(rows))
    _, details = tool.compute_score(
        {place: list(several) for place, (_, several) in enumerate(distinct)},
        {place: [answer] for place, (answer, _) in enumerate(distinct)},
    )
    values = (float(detail["All"]["f"]) for detail in details)
    # A row whose graphs are both empty has no F; it matches nothing.
    scores = dict(zip(distinct, (0.0 if np.isnan(f) else f for f in values), strict=True))
    return np.array([scores[row] for row in rows], dtype=np.float64)


def require_spice() -> None:
    """Check that SPICE can run without fetching anything.

    Raises:
        ToolMissing: pycocoevalcap, Java or the parser is not there.
    """
    libraries = require_folder(NAME, "pycocoevalcap", CAPTIONING) / "spice" / "lib"
    require_java(NAME)
    missing = [name for name in PARSER if not (libraries / name).is_file()]
    if missing:
        raise ToolMissing(
            f"--metrics spice: its parser is missing ({', '.join(missing)}); fetch it once with "
            '`python -c "from pycocoevalcap.spice.get_stanford_models import get_stanford_models; '
            'get_stanford_models()"`, or leave spice out'
        )


METRIC: Final = Metric(
    name=NAME,
    label="SPICE",
    score=against_all(spice),
    definition=of_texts(
        lambda: f"mean of SPICE 1.0, Stanford CoreNLP 3.6.0|{named_version('pycocoevalcap')}"
    ),
    require_tool=require_spice,
    library="pycocoevalcap",
    groups=frozenset({MetricGroup.CAPTIONING, MetricGroup.ALL}),
)
