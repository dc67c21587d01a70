"""What a sweep writes for programs: one row for each trial, and everything as one JSON object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from shared.corpus import write_csv_rows
from trainer.sweep.findings import Findings, Scored
from trainer.sweep.outcome import Outcome
from trainer.sweep.space import PLACE_IN_RECIPE, TRIALS_FOLDER

COLUMNS: Final = (
    *PLACE_IN_RECIPE,
    "seed",
    "state",
    "epochs",
    "exact_match",
    "best_epoch",
    "base_exact_match",
    "folder",
    "reason",
)


def write_trials_csv(outcomes: Sequence[Outcome], path: Path) -> None:
    """Write one row for each trial.

    Raises:
        InputError: a place that cannot be written.
    """
    write_csv_rows(COLUMNS, [_row(outcome) for outcome in outcomes], path)


def findings_json(findings: Findings) -> dict[str, Any]:
    """Return everything that was found; folders as seen from the sweep's own."""
    best = findings.best
    return {
        "base_exact_match": findings.base,
        "best": None if best is None else _scored(best),
        "between_seeds": findings.between_seeds,
        "effects": [
            {
                "setting": effect.setting,
                "size": effect.size,
                "values": [asdict(marginal) for marginal in effect.marginals],
            }
            for effect in findings.effects
        ],
        "combinations": [_scored(scored) for scored in findings.scored],
        "trials": [
            {
                **_row(outcome),
                "targets": outcome.trial.combination.targets,
                "by_epoch": outcome.held_out,
            }
            for outcome in findings.outcomes
        ],
    }


def _row(outcome: Outcome) -> dict[str, Any]:
    combination = outcome.trial.combination
    return {
        **asdict(combination),
        "targets": combination.value("targets"),
        "seed": outcome.trial.seed,
        "state": outcome.state.value,
        "epochs": len(outcome.held_out),
        "exact_match": outcome.exact_match,
        "best_epoch": outcome.best_epoch,
        "base_exact_match": outcome.base,
        "folder": f"{TRIALS_FOLDER}/{outcome.trial.name}",
        "reason": outcome.reason,
    }


def _scored(scored: Scored) -> dict[str, Any]:
    return {
        **asdict(scored.combination),
        "exact_match": scored.mean,
        "spread": scored.spread,
        "seeds": {str(outcome.trial.seed): outcome.exact_match for outcome in scored.outcomes},
        "finished": scored.whole,
        "folder": f"{TRIALS_FOLDER}/{scored.best_seed.trial.name}",
    }
