"""Published figures of the models that the AIM825 report is about, to set beside one's own.

They were measured on another sample of ABO, so they are for orientation. BERTScore is DistilBERT's;
the published VTGS is the quantity called ``vtgs_clip`` here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from evaluator.comparing.side_by_side import Column
from evaluator.runs.folder import Run


@dataclass(frozen=True)
class Published:
    """A row of the AIM825 report: means in [0, 1] by metric."""

    name: str
    means: Mapping[str, float]

    def mean(self, column: Column) -> float | None:
        """Return the figure for a column; ``None`` where it was measured with another model."""
        wanted = {"bertscore_f1": "distilbert", "csns": "MiniLM"}.get(column.metric, "")
        return self.means.get(column.metric) if wanted in column.model else None


def _row(name: str, exact: float, csns: float, bertscore: float, vtgs: float) -> Published:
    figures = {"exact_match": exact, "csns": csns, "bertscore_f1": bertscore, "vtgs_clip": vtgs}
    return Published(name, figures)


_BY_MODEL: Final[Mapping[str, Sequence[Published]]] = {
    "blip-vqa-base": (
        _row("published: BLIP zero-shot", 0.4247, 0.6967, 0.6075, 0.7627),
        _row("published: BLIP with LoRA", 0.5934, 0.7812, 0.8722, 0.7714),
    ),
    "vilt": (_row("published: ViLT zero-shot", 0.3311, 0.6441, 0.5521, 0.7615),),
}


def published_rows(runs: Sequence[Run]) -> list[Published]:
    """Return the published rows of the models that made ``runs``."""
    models = [str(run.scorecard.provenance.get("model", "")).lower() for run in runs]
    return [
        row
        for published, rows in _BY_MODEL.items()
        if any(published in model for model in models)
        for row in rows
    ]
