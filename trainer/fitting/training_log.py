"""``training.jsonl``: what a run did, one JSON object a line, for people and for a run to go on.

Events are ``start`` (with the exact match of the base alone), ``step`` and ``epoch``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from shared.files.atomic import atomic_path
from trainer.training.loop import StepReport
from trainer.training.run_files import LOG_FILE


class TrainingLog:
    """The log in the folder of a run."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / LOG_FILE

    def begin(self, base_exact_match: float) -> None:
        """Start anew."""
        self._path.unlink(missing_ok=True)
        self._append({"event": "start", "base_exact_match": base_exact_match})

    def add_step(self, report: StepReport) -> None:
        """Note an optimiser step."""
        self._append({"event": "step", **asdict(report)})

    def add_epoch(self, epoch: int, report: StepReport, exact_match: float) -> None:
        """Note the held-out exact match after an epoch's last step."""
        self._append(
            {
                "event": "epoch",
                "epoch": epoch,
                "step": report.step,
                "loss": report.loss,
                "exact_match": exact_match,
            }
        )

    def rewind(self, step: int) -> None:
        """Drop what was logged after ``step``, which happens again."""
        rows = [row for row in self._rows() if row.get("step", 0) <= step]
        with atomic_path(self._path) as part:
            part.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")

    def base_exact_match(self) -> float | None:
        """Return that of the base alone, ``None`` before it was measured."""
        starts = (row for row in self._rows() if row["event"] == "start")
        return next((row["base_exact_match"] for row in starts), None)

    def held_out(self) -> tuple[float, ...]:
        """Return the held-out exact match by epoch, in [0, 1]."""
        return tuple(row["exact_match"] for row in self._rows() if row["event"] == "epoch")

    def _append(self, row: Mapping[str, object]) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    def _rows(self) -> list[dict[str, Any]]:
        if not self._path.is_file():
            return []
        rows = []
        for line in self._path.read_text(encoding="utf-8").splitlines():
            try:
                rows.append(json.loads(line))
            except ValueError:
                # The process was killed while it wrote its last line.
                break
        return rows
