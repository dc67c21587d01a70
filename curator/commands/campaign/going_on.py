"""What comes next for a campaign by how it stands: look again, go on, bring back, or export."""

from __future__ import annotations

from pathlib import Path

from curator.status.status import KeyState, Standing, key_state
from shared.program.durations import local_time
from shared.value_class import value_class


@value_class
class GoingOn:
    """The command that comes next, no words where there is none; ``line`` says what it needs."""

    words: tuple[str, ...] = ()
    line: str = ""


def going_on(standing: Standing, ledger: Path, now: float, *, is_at_work: bool) -> GoingOn:
    """Return what comes next for a campaign.

    ``is_at_work`` says that a run has the ledger now.
    """
    report, progress = standing.report, standing.report.progress
    name = f"Campaign {report.campaign_id}"
    if is_at_work:
        return GoingOn(("curator", "status", "--ledger", str(ledger)), "A run is at work now.")
    waiting = progress.pending or report.opinions.waiting
    if waiting and not _is_spent(standing, now):
        what = "image" if progress.pending else "second opinion"
        waits = f"{waiting:,} {what}{'s wait' if waiting != 1 else ' waits'}"
        needs, more = _needed(standing, now)
        return GoingOn((*_run(ledger), *more), f"{name}: {waits}; {needs}")
    if report.pairs:
        return GoingOn(("curator", "export", "--ledger", str(ledger), "--out", "dataset"))
    if report.given_up:
        return GoingOn((*_run(ledger), "--retry-dead"), f"{name}: all was given up, see why above")
    return GoingOn()


def _run(ledger: Path) -> tuple[str, ...]:
    # The ledger does not know the other options, by which a campaign is told from a new one.
    return ("curator", "run", "--catalog", "CATALOG", "--ledger", str(ledger))


def _is_spent(standing: Standing, now: float) -> bool:
    ends_at = standing.forecast.ends_at
    return standing.forecast.is_by_budget and ends_at is not None and ends_at <= now


def _needed(standing: Standing, now: float) -> tuple[str, tuple[str, ...]]:
    """Return what going on takes, and the options that it takes besides those of before."""
    report = standing.report
    states = [key_state(key, report, now) for key in report.keys]
    goes_on = "the command that began it goes on"
    if states and all(state is KeyState.REMOVED for state, _ in states):
        reason = standing.forecast.reason or "no key is left that can serve"
        return f"{reason}: mend that, or put another key in its line", ("--retry-keys",)
    opens = [until for state, until in states if state is not KeyState.REMOVED]
    if opens and all(opens):
        return f"no key has quota before {local_time(min(filter(None, opens)))}; {goes_on}", ()
    return goes_on, ()
