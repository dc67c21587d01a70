"""One sweep from recipe to table; given again, it goes on where it stopped."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from shared.corpus import read_json, write_json
from shared.errors import AboVqaError, InputError, StoppedForNow
from shared.files.atomic import atomic_path
from shared.files.contents import require_writable_folder, written_names
from shared.files.locking import sole
from shared.program.reporting.event_log import EventLog
from shared.program.reporting.progress import report_progress
from shared.program.stopping import StopSignal
from trainer.fitting.adapter import require_targets
from trainer.fitting.fit import recipe_pairs, run_fingerprint
from trainer.recipe.recipe import FitRecipe, LoraRecipe, SweepRecipe
from trainer.sweep.chart import sweep_chart
from trainer.sweep.files import findings_json, write_trials_csv
from trainer.sweep.findings import Findings, find
from trainer.sweep.outcome import Outcome, State, read_outcome
from trainer.sweep.space import PLACE_IN_RECIPE, trials, varied
from trainer.sweep.tuning import Sweeping, train_trials
from trainer.training.tracking import require_trackers

log = EventLog(__name__)

LOCK_FILE: Final = "sweep.lock"
JSON_FILE, CSV_FILE, CHART_FILE = "sweep.json", "sweep.csv", "sweep.svg"
ENDED: Final = frozenset({State.FINISHED, State.STOPPED_EARLY})


def sweep(recipe: FitRecipe, *, stop: StopSignal | None = None) -> Findings:
    """Train what ``recipe.sweep`` asks for and is not trained yet; write table and chart.

    Everything goes below ``recipe.out``; each trial's folder is an adapter folder.

    Raises:
        InputError: the recipe, its data or its model cannot be used, nothing varies, or ``out``
            holds a sweep of another recipe or is being worked in.
        StoppedForNow: ``stop`` was requested.
        AboVqaError: no trial could be trained.
    """
    stop = stop or StopSignal()
    wanted = trials(recipe)
    require_writable_folder(recipe.out, "out")
    require_trackers(recipe.track)
    for targets in {trial.combination.targets for trial in wanted}:
        require_targets(
            recipe.model, recipe.lora.model_copy(update={"targets": targets}), recipe.quantize
        )
    pairs = recipe_pairs(recipe)
    fingerprint = run_fingerprint(_without_what_varies(recipe), pairs)
    _require_same(recipe.out / JSON_FILE, fingerprint)
    recipe = recipe.absolute()
    held = f"{recipe.out}: another `trainer sweep` works in this folder"
    with sole(recipe.out / LOCK_FILE, held, "wait for it, stop it, or give another `out`"):
        outcomes = [read_outcome(recipe.out, trial) for trial in wanted]
        done = sum(outcome.state in ENDED for outcome in outcomes)
        if done:
            log.info("resumed", folder=str(recipe.out), done=done, trials=len(wanted))
        if done < len(wanted):
            _write(recipe, fingerprint, outcomes)
            _train(Sweeping(recipe, pairs, stop), outcomes)
            outcomes = [read_outcome(recipe.out, trial) for trial in wanted]
        findings = _write(recipe, fingerprint, outcomes)
    if stop.requested and any(outcome.state is State.UNFINISHED for outcome in outcomes):
        ended = sum(outcome.state in ENDED for outcome in outcomes)
        raise StoppedForNow(
            f"{stop.reason} with {ended} of {len(outcomes)} trials done; give the same command to "
            "go on"
        )
    if not findings.scored:
        raise AboVqaError(f"{recipe.out}: no trial could be trained: {outcomes[0].reason}")
    return findings


def _train(sweeping: Sweeping, outcomes: Sequence[Outcome]) -> None:
    done = [outcome for outcome in outcomes if outcome.state in ENDED]
    scores = [outcome.exact_match for outcome in done if outcome.exact_match is not None]
    with report_progress("trials", len(outcomes), done=len(done)) as progress:

        def count(outcome: Outcome) -> None:
            if outcome.exact_match is not None:
                scores.append(outcome.exact_match)
            if outcome.state is State.FAILED:
                log.warning("trial_failed", trial=outcome.trial.name, reason=outcome.reason)
            progress.advance(note=f"best exact match {max(scores, default=0):.4f}")

        def tell(trial: str, epoch: int, score: float) -> None:
            # A trial may take an hour.
            progress.advance(0, note=f"{trial}, epoch {epoch}: exact match {score:.4f}")

        train_trials(sweeping, outcomes, on_epoch=tell, on_end=count)


def _write(recipe: FitRecipe, fingerprint: str, outcomes: Sequence[Outcome]) -> Findings:
    findings = find(outcomes, varied(recipe.sweep))
    content = {"recipe_sha256": fingerprint, **findings_json(findings)}
    write_json(content, recipe.out / JSON_FILE)
    write_trials_csv(outcomes, recipe.out / CSV_FILE)
    if findings.scored:
        chart = sweep_chart(findings, recipe.epochs)
        with atomic_path(recipe.out / CHART_FILE) as part:
            part.write_text(chart, encoding="utf-8")
    return findings


def _without_what_varies(recipe: FitRecipe) -> FitRecipe:
    """Return the same for recipes whose trials may stand in one table."""
    default = LoraRecipe()
    varies = [place.removeprefix("lora.") for place in PLACE_IN_RECIPE.values()]
    lora = {name: getattr(default, name) for name in varies if name in LoraRecipe.model_fields}
    return recipe.model_copy(
        update={
            "lora": recipe.lora.model_copy(update=lora),
            "learning_rate": 1.0,
            "seed": 0,
            "sweep": SweepRecipe(),
        }
    )


def _require_same(written: Path, fingerprint: str) -> None:
    if written_names(written.parent) and not written.is_file():
        raise InputError(
            f"{written.parent}: is there and holds no sweep; give another `out` or remove it"
        )
    if written.is_file() and read_json(written).get("recipe_sha256") != fingerprint:
        raise InputError(
            f"{written.parent}: holds a sweep of another recipe or other data; give another `out` "
            "or remove it"
        )
