"""What is told about a campaign in a few words, wherever that is; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

from curator.ledger import BatchCounts, CampaignReport, LeftOut, TokenUse
from curator.status.spending import Spending
from curator.status.status import NOT_ERRORS, Standing
from shared.endpoints.models.budget_limit import BudgetLimit, amount_words
from shared.endpoints.models.model_status import Retirement, is_another_model
from shared.endpoints.models.tier import Tier
from shared.program.durations import duration, local_time

REASONS_TOLD: Final = 3


def times(count: int) -> str:
    """Return how often, in words."""
    return "once" if count == 1 else f"{count:,} times"


def given_up_line(report: CampaignReport) -> str:
    """Return how many images were given up, the most common reasons, and the way back."""
    count = report.progress.dead
    return (
        f"{count:,} image{'s' * (count != 1)} given up ({_reasons(report.given_up)}); once that is "
        "mended, `curator run ... --retry-dead` brings them back"
    )


def unfit_line(report: CampaignReport) -> str:
    """Return how many images were left out as was asked for, why, and the way back."""
    count = sum(report.unfit.values())
    return (
        f"{count:,} image{'s' * (count != 1)} left out as asked ({_reasons(report.unfit)}); with "
        "less asked of pictures, `curator run ... --retry-dead` brings them back"
    )


def _reasons(counts: Mapping[str, int]) -> str:
    reasons = [f"{times(count)} {reason}" for reason, count in counts.items()]
    more = reasons[REASONS_TOLD:]
    return "; ".join([*reasons[:REASONS_TOLD], *([f"{len(more)} more reasons"] if more else [])])


def left_out_words(entry: LeftOut) -> str:
    """Return why, how often and what first something of the catalogue was left out."""
    return f"{entry.count:,} {entry.reason} (first: {entry.first})"


def other_models_words(report: CampaignReport) -> list[str]:
    """Return a line for each model that answered in the place of another, and how often."""
    counts = Counter[tuple[str, str]]()
    for replies in report.replies_by_model:
        if replies.are_by_another:
            counts[replies.asked, replies.answered_by] += replies.count
    return [
        f"{answered_by} answered {times(count)} in the place of {asked}"
        for (asked, answered_by), count in counts.items()
    ]


def jobs_under_way(counts: BatchCounts) -> str:
    """Return that batch jobs go on at the service; empty where none does."""
    if not counts.requests_held:
        return ""
    jobs, held = counts.open_jobs, _images(counts.requests_held)
    if not jobs:
        return (
            f"the results of batch jobs with {held} are yet to come, and the same command fetches "
            "them"
        )
    return (
        f"{jobs:,} batch job{'s' * (jobs != 1)} with {held} "
        f"{'goes' if jobs == 1 else 'go'} on at "
        "the service, and the same command fetches what they bring"
    )


def _images(count: int) -> str:
    return f"{count:,} image{'s' * (count != 1)}"


def batch_words(counts: BatchCounts, now: float) -> str:
    """Return a campaign's batch jobs by state, and how long the oldest one has waited."""
    jobs = [
        f"{state} {count:,}" + (f" ({_images(held)})" if (held := counts.held.get(state)) else "")
        for state, count in sorted(counts.jobs.items())
    ]
    parts = [", ".join(jobs)]
    if counts.oldest_at is not None:
        parts.append(f"the oldest has waited for {duration(max(0.0, now - counts.oldest_at))}")
    if counts.files_left:
        files = f"{counts.files_left:,} file{'s' * (counts.files_left != 1)}"
        parts.append(f"{files} left at the service")
    return "; ".join(parts)


def listed(counts: Mapping[str, int]) -> str:
    """Return counts by name in one line."""
    return ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items())) or "none"


def time_left(standing: Standing, now: float) -> str:
    """Return how long the campaign will take under its quotas, and until when."""
    ends_at = standing.forecast.ends_at
    if ends_at is None:
        return f"unknown: {standing.forecast.reason}"
    progress = standing.report.progress
    is_settled = progress.pending == 0 or progress.done + progress.dead == standing.goal
    if is_settled and not standing.report.opinions.waiting:
        return "none"
    by = "by budget" if standing.forecast.is_by_budget else "under these quotas"
    if ends_at <= now:
        return "none: the budget is spent" if standing.forecast.is_by_budget else "1 min or less"
    return f"{duration(ends_at - now)} {by}, until {local_time(ends_at)}"


def budget_words(limit: BudgetLimit, tokens: int, usd: float | None) -> str:
    """Return how much of a budget is spent."""
    parts = []
    if limit.usd is not None:
        spent = "unknown" if usd is None else f"{usd:,.4f}"
        parts.append(f"{spent} of {amount_words(limit.usd)} $")
    if limit.tokens is not None:
        parts.append(f"{tokens:,} of {limit.tokens:,} tokens")
    return f"{' and '.join(parts)} spent"


def tokens_words(tokens: TokenUse) -> str:
    """Return tokens by kind."""
    of_images = f" ({tokens.images:,} of images)" if tokens.images else ""
    cached = f" ({tokens.cached:,} cached)" if tokens.cached else ""
    return (
        f"{tokens.input:,} in{of_images}{cached}, {tokens.output:,} out, "
        f"{tokens.thoughts:,} for thinking"
    )


def usd_words(usd: float | None) -> str:
    """Return an amount by list price; unknown, and never 0, where no price is known."""
    if usd is None:
        return "unknown, for want of a price (--models FILE gives one)"
    return f"{usd:,.{2 if usd >= 1 else 4}f} $ by list price"


def spending_words(spending: Spending) -> str:
    """Return the tokens and the cost of one model's replies."""
    by = spending.answered_by
    is_another = is_another_model(spending.asked, by)
    name = f"{spending.asked}, answered by {by}" if is_another else spending.asked
    tier = "" if spending.tier is Tier.STANDARD else f" ({spending.tier})"
    return f"{name}{tier}: {tokens_words(spending.tokens)}; {usd_words(spending.usd)}"


def retirement_words(model: str, end: Retirement, now: float) -> str:
    """Return when a model is shut down, or was, who says so, and what follows it."""
    verb = "retires" if end.at > now else "retired"
    follows = f"; {end.followed_by} follows it" if end.followed_by else ""
    left = f", in {duration(end.at - now)}" if end.at > now else ""
    return f"{model} {verb} on {local_time(end.at)}{left} (says {end.said_by}){follows}"


def settled_of(standing: Standing) -> tuple[int, int]:
    """Return how many items are settled, and how many are to be."""
    progress = standing.report.progress
    goal = progress.total if standing.goal is None else standing.goal
    return progress.done + progress.dead, goal


def error_words(standing: Standing) -> str:
    """Return what went wrong, how often and why; empty where nothing did."""
    counts, reasons = standing.report.outcomes, standing.last_errors
    names = sorted((counts.keys() | reasons.keys()) - NOT_ERRORS)
    return ", ".join(_error(name, counts.get(name, 0), reasons.get(name, "")) for name in names)


def _error(name: str, count: int, reason: str) -> str:
    told = f"{name} {count:,}" if count else name
    return f"{told} ({reason})" if reason else told
