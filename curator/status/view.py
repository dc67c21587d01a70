"""What is told about a campaign, for a terminal; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from curator.ledger import CampaignReport, KeyReport
from curator.status.canaries import canary_standings, canary_words
from curator.status.spending import cost_usd, spendings
from curator.status.status import (
    KeyState,
    Standing,
    key_state,
    model_state,
    named_models,
    project_uses,
    rate_per_minute,
    reply_counts,
    retirements,
)
from curator.status.words import (
    batch_words,
    budget_words,
    given_up_line,
    left_out_words,
    listed,
    other_models_words,
    retirement_words,
    spending_words,
    time_left,
    tokens_words,
    unfit_line,
    usd_words,
)
from shared.program.durations import local_time


def status_view(
    standings: Sequence[Standing], now: float, named: Mapping[int, str]
) -> RenderableType:
    """Return the state of a ledger for a terminal.

    ``named`` says by id what tells each campaign from the others.
    """
    if not standings:
        return Text("The ledger holds no campaign yet.")
    views = (_campaign_view(one, now, named[one.report.campaign_id]) for one in standings)
    return Group(*views)


def _campaign_view(standing: Standing, now: float, named: str) -> RenderableType:
    report = standing.report
    campaign, progress = report.campaign, report.progress
    head = Text(
        f"Campaign {report.campaign_id}: {', '.join(campaign.model_names)} "
        f"through {campaign.annotator}, "
        f"{named}",
        style="bold",
    )
    facts = Table(show_header=False, box=None, pad_edge=False)
    facts.add_row(
        "progress",
        f"{progress.done:,} of {progress.total:,} done, {progress.dead:,} given up, "
        f"{progress.pending:,} waiting",
    )
    if report.given_up:
        facts.add_row("given up", Text(given_up_line(report)))
    if report.unfit:
        facts.add_row("unfit", Text(unfit_line(report)))
    for entry in report.left_out:
        facts.add_row("left out", Text(left_out_words(entry)))
    if report.alike:
        facts.add_row("alike", f"{report.alike:,} images look like one that is asked about")
    if report.along:
        facts.add_row("along", f"{report.along:,} images go along with another of their listing")
    facts.add_row("pairs", f"{report.pairs:,}")
    facts.add_row("made by", listed(named_models(report)))
    _add_models(facts, standing, now)
    facts.add_row("rejected", listed(report.rejected))
    replies = reply_counts(report)
    wrong = {"wrong count": replies.wrong_count} if replies.wrong_count else {}
    facts.add_row("replies", listed(dict(replies.forms) | wrong))
    facts.add_row("endings", listed(replies.endings))
    facts.add_row("useless", listed(replies.rejections))
    for name, words in _besides(report, now):
        facts.add_row(name, words)
    facts.add_row("requests", listed(report.outcomes))
    if len(report.outcomes_by_model) > 1:
        asked = {model: sum(each.values()) for model, each in report.outcomes_by_model.items()}
        facts.add_row("asked", listed(asked))
    facts.add_row("tokens", tokens_words(report.tokens))
    cost = cost_usd(report, standing.known_models)
    facts.add_row("cost", f"{usd_words(cost)}; free keys pay nothing")
    for each in spendings(report, standing.known_models):
        facts.add_row("", Text(spending_words(each)))
    if campaign.budget.is_given:
        facts.add_row("budget", budget_words(campaign.budget, report.tokens.total, cost))
    facts.add_row("rate", f"{rate_per_minute(report):,.1f} images a minute recently")
    facts.add_row("time left", time_left(standing, now))
    parts: list[RenderableType] = [head, facts, keys_view(report, now)]
    if len(campaign.models) > 1 and project_uses(report):
        parts.append(_quotas_view(report, now))
    if report.dead_letters:
        parts.append(_dead_view(report))
    return Group(*parts)


def _add_models(facts: Table, standing: Standing, now: float) -> None:
    """Add what is to be known of the models that are asked."""
    report = standing.report
    for line in other_models_words(report):
        facts.add_row("another model", Text(line, "yellow"))
    for model, end in retirements(standing).items():
        facts.add_row("retirement", Text(retirement_words(model, end, now), "yellow"))
    for canary in canary_standings(report.canary_days):
        style = "bold red" if canary.is_alarm else ""
        facts.add_row("canaries", Text(canary_words(canary), style))
    for model, settings in report.settings_left_out.items():
        told = f"{model} refuses {', '.join(settings)}: asked without, as it chooses"
        facts.add_row("left out", Text(told, "yellow"))


def _besides(report: CampaignReport, now: float) -> Iterator[tuple[str, str]]:
    """Yield what is told of what not every campaign has."""
    if report.batches.jobs:
        yield "batch jobs", batch_words(report.batches, now)
    if report.opinions.chosen:
        yield "second opinions", listed(asdict(report.opinions))


def keys_view(report: CampaignReport, now: float, most: int | None = None) -> Table:
    """Return one line a key, ``most`` of them at most, those that do not serve last."""
    states = {key.fingerprint: key_state(key, report, now) for key in report.keys}
    order = list(KeyState)
    rows = sorted(report.keys, key=lambda key: order.index(states[key.fingerprint][0]))
    table = Table(box=None, pad_edge=False)
    for name in ("key", "project", "today"):
        table.add_column(name, no_wrap=True)
    # These two give way on a narrow terminal; in a view that is redrawn, where ``most`` is known,
    # their texts are cut, so that a key stays one line.
    table.add_column("state")
    table.add_column("requests")
    text = Text if most is None else _cut
    for key in rows[:most]:
        state, until = states[key.fingerprint]
        limit = "" if key.a_day is None else f" of {key.a_day:,}"
        table.add_row(
            Text(key.label),
            Text(key.project),
            f"{key.today:,}{limit}",
            text(_state_words(key, state, until), _STYLES[state]),
            text(listed(key.outcomes)),
        )
    if most is not None and len(rows) > most:
        table.add_row(f"and {len(rows) - most} more keys")
    return table


def _quotas_view(report: CampaignReport, now: float) -> Table:
    """Return one line for each model of each project that serves, and why others do not."""
    refused = Counter[str]()
    table = Table(box=None, pad_edge=False, caption_justify="left")
    for name in ("project", "model", "today"):
        table.add_column(name, no_wrap=True)
    table.add_column("state")
    for project, use in project_uses(report):
        state, until = model_state(project, use, report, now)
        limit = "" if use.quota.rpd is None else f" of {use.quota.rpd:,}"
        if use.refused_because:
            words = "not served"
            refused[f"{use.model} is not served: {use.refused_because}"] += 1
        else:
            words = f"{state.value} until {local_time(until)}" if until else state.value
        table.add_row(
            Text(project), Text(use.model), f"{use.today:,}{limit}", Text(words, _STYLES[state])
        )
    # Mostly one reason for all projects.
    reasons = (f"{why} (projects: {count:,})" for why, count in refused.items())
    table.caption = Text("\n".join(reasons)) if refused else None
    return table


def _cut(text: str, style: str = "") -> Text:
    return Text(text, style, no_wrap=True, overflow="ellipsis")


_STYLES: Final = {
    KeyState.READY: "green",
    KeyState.COOLING_DOWN: "yellow",
    KeyState.RESTING: "yellow",
    KeyState.REMOVED: "red",
}


def _state_words(key: KeyReport, state: KeyState, until: float | None) -> str:
    if state is KeyState.REMOVED:
        since = "" if key.removed_at is None else f" on {local_time(key.removed_at)}"
        return f"removed{since}: {key.removed_because}"
    if state is KeyState.RESTING:
        return f"done for today, until {local_time(until or 0.0)}"
    return f"{state.value} until {local_time(until)}" if until else state.value


def _dead_view(report: CampaignReport) -> Table:
    table = Table("given up", "image", "reason", title="latest dead letters", title_justify="left")
    for letter in report.dead_letters:
        table.add_row(Text(letter.listing_id), Text(letter.image_path), Text(letter.reason))
    return table
