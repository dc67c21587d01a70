"""What is told about a campaign: one JSON object, one view for a terminal; pure.

``curator status``, the live view and the status page all speak from here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from curator.forecast.forecast import Forecast
from curator.judging.facts import NO_CANDIDATE
from curator.keys.models import known_model
from curator.keys.quota import next_day
from curator.ledger import CampaignReport, KeyReport, LeftOut, TokenUse
from curator.pool.records import ProjectRecord
from shared.program.durations import duration, local_time

UNKNOWN_MODEL: Final = "unknown model"
REASONS_TOLD: Final = 3
NOT_ERRORS: Final = frozenset({"open", "answered"})


@dataclass(frozen=True, slots=True)
class Standing:
    """A campaign's report with what no report holds.

    ``goal`` is the number of settled items at which the present run ends, if not all; and
    ``last_errors`` the latest reason of each kind of failure in it.
    """

    report: CampaignReport
    forecast: Forecast
    goal: int | None = None
    last_errors: Mapping[str, str] = field(default_factory=dict)


class KeyState(StrEnum):
    """Whether a key serves."""

    READY = "ready"
    COOLING_DOWN = "cooling down"
    """Its project was refused, and waits."""
    RESTING = "resting"
    """Its project's requests of the day are used up."""
    REMOVED = "removed"


def key_state(
    key: KeyReport, blocked: Mapping[str, ProjectRecord], now: float
) -> tuple[KeyState, float | None]:
    """Return a key's state, and when it ends, seconds since the epoch, where that is known."""
    if key.removed_because:
        return KeyState.REMOVED, None
    if cooling := blocked.get(key.project):
        return KeyState.COOLING_DOWN, cooling.blocked_until
    if key.quota.rpd is not None and key.project_today >= key.quota.rpd:
        return KeyState.RESTING, next_day(now)
    return KeyState.READY, None


def named_models(report: CampaignReport) -> dict[str, int]:
    """Return the pairs by the model that made them, as it is called where people read it."""
    return {model or UNKNOWN_MODEL: count for model, count in report.pairs_by_model.items()}


def rate_per_minute(report: CampaignReport) -> float:
    """Return the items answered a minute, recently."""
    return report.finished_recently / report.recent_s * 60


def cost_usd(report: CampaignReport) -> float | None:
    """Return what the tokens cost by list price, in US dollars; ``None`` if one is not known."""
    total = 0.0
    for model, tokens in (report.tokens_by_model or {report.campaign.model: TokenUse()}).items():
        price = known_model(model).price
        if price is None:
            return None
        total += price.of(tokens.input, tokens.output + tokens.thoughts)
    return total


@dataclass(frozen=True, slots=True)
class ReplyCounts:
    """What the replies of a campaign were like, each a count by name.

    ``rejections`` counts those that were of no use as a whole, by kind; ``wrong_count`` those with
    pairs in them, but fewer or more than were asked for.
    """

    endings: Mapping[str, int]
    forms: Mapping[str, int]
    rejections: Mapping[str, int]
    wrong_count: int


def reply_counts(report: CampaignReport) -> ReplyCounts:
    """Count the replies of a campaign by ending, form and kind of rejection."""
    endings, forms, rejections = Counter[str](), Counter[str](), Counter[str]()
    wrong_count = 0
    for facts, count in report.replies.items():
        endings[facts.ending or NO_CANDIDATE] += count
        forms[facts.form.value] += count
        rejections[facts.rejection] += count
        wrong_count += count * (facts.drafts not in {0, report.campaign.questions})
    del rejections[""]
    return ReplyCounts(endings, forms, rejections, wrong_count)


def status_object(standings: Sequence[Standing], now: float) -> dict[str, Any]:
    """Return the state of a ledger as plain values; times are seconds since the epoch, UTC."""
    return {"now": now, "campaigns": [_campaign_object(one, now) for one in standings]}


def _campaign_object(standing: Standing, now: float) -> dict[str, Any]:
    report, ends_at = standing.report, standing.forecast.ends_at
    progress = report.progress
    blocked = {project.project: project for project in report.blocked}
    replies = reply_counts(report)
    return {
        "id": report.campaign_id,
        **asdict(report.campaign),
        "progress": {**asdict(progress), "total": progress.total},
        "goal": standing.goal,
        "pairs": report.pairs,
        "pairs_by_model": dict(report.pairs_by_model),
        "rejected_by_rule": dict(report.rejected),
        "replies": {
            "by_ending": dict(replies.endings),
            "by_form": dict(replies.forms),
            "wrong_count": replies.wrong_count,
            "rejected": dict(replies.rejections),
        },
        "second_opinions": asdict(report.opinions),
        "attempts": dict(report.outcomes),
        "last_errors": dict(standing.last_errors),
        "tokens": asdict(report.tokens),
        "tokens_by_model": {
            model: asdict(tokens) for model, tokens in report.tokens_by_model.items()
        },
        "cost_usd": cost_usd(report),
        "rate_per_minute": rate_per_minute(report),
        "ends_at": ends_at,
        "eta_s": None if ends_at is None else max(0.0, ends_at - now),
        "eta_unknown_because": standing.forecast.reason,
        "keys": [_key_object(key, blocked, now) for key in report.keys],
        "cooling_down": [
            {
                "project": project.project,
                "until": project.blocked_until,
                "window": project.blocked_window.value,
            }
            for project in report.blocked
        ],
        "given_up": dict(report.given_up),
        "dead_letters": [asdict(letter) for letter in report.dead_letters],
        "left_out": [asdict(entry) for entry in report.left_out],
    }


def _key_object(key: KeyReport, blocked: Mapping[str, ProjectRecord], now: float) -> dict[str, Any]:
    state, until = key_state(key, blocked, now)
    return {
        "label": key.label,
        "fingerprint": key.fingerprint,
        "project": key.project,
        "state": state.value,
        "until": until,
        "removed_because": key.removed_because,
        "removed_at": key.removed_at,
        "outcomes": dict(key.outcomes),
        "requests_today": key.project_today,
        "limits": asdict(key.quota),
    }


def status_view(standings: Sequence[Standing], now: float) -> RenderableType:
    """Return the state of a ledger for a terminal."""
    if not standings:
        return Text("The ledger holds no campaign yet.")
    return Group(*(_campaign_view(one, now) for one in standings))


def _campaign_view(standing: Standing, now: float) -> RenderableType:
    report = standing.report
    campaign, progress = report.campaign, report.progress
    head = Text(
        f"Campaign {report.campaign_id}: {campaign.model} through {campaign.annotator}, "
        f"{campaign.questions} questions, "
        f"prompt {campaign.prompt_version}",
        style="bold",
    )
    tokens, cost = report.tokens, cost_usd(report)
    facts = Table(show_header=False, box=None, pad_edge=False)
    facts.add_row(
        "progress",
        f"{progress.done:,} of {progress.total:,} done, {progress.dead:,} given up, "
        f"{progress.pending:,} waiting",
    )
    if report.given_up:
        facts.add_row("given up", Text(given_up_line(report)))
    for entry in report.left_out:
        facts.add_row("left out", Text(left_out_words(entry)))
    facts.add_row("pairs", f"{report.pairs:,}")
    facts.add_row("made by", listed(named_models(report)))
    facts.add_row("rejected", listed(report.rejected))
    replies = reply_counts(report)
    wrong = {"wrong count": replies.wrong_count} if replies.wrong_count else {}
    facts.add_row("replies", listed(dict(replies.forms) | wrong))
    facts.add_row("endings", listed(replies.endings))
    facts.add_row("useless", listed(replies.rejections))
    if report.opinions.chosen:
        facts.add_row("second opinions", listed(asdict(report.opinions)))
    facts.add_row("requests", listed(report.outcomes))
    facts.add_row(
        "tokens", f"{tokens.input:,} in, {tokens.output:,} out, {tokens.thoughts:,} for thinking"
    )
    money = (
        "no price known for this model"
        if cost is None
        else f"{cost:,.{2 if cost >= 1 else 4}f} $ by list price"
    )
    facts.add_row("cost", f"{money}; free keys pay nothing")
    facts.add_row("rate", f"{rate_per_minute(report):,.1f} images a minute recently")
    facts.add_row("time left", time_left(standing, now))
    parts: list[RenderableType] = [head, facts, keys_view(report, now)]
    if report.dead_letters:
        parts.append(_dead_view(report))
    return Group(*parts)


def given_up_line(report: CampaignReport) -> str:
    """Return how many images were given up, the most common reasons, and the way back."""
    reasons = [f"{count:,} times {reason}" for reason, count in report.given_up.items()]
    more = reasons[REASONS_TOLD:]
    told = "; ".join([*reasons[:REASONS_TOLD], *([f"{len(more)} more reasons"] if more else [])])
    count = report.progress.dead
    return (
        f"{count:,} image{'s' * (count != 1)} given up ({told}); once that is mended, "
        "`curator run ... --retry-dead` brings them back"
    )


def left_out_words(entry: LeftOut) -> str:
    """Return why, how often and what first something of the catalogue was left out."""
    return f"{entry.count:,} {entry.reason} (first: {entry.first})"


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
    if ends_at <= now:
        return "1 min or less"
    return f"{duration(ends_at - now)} under these quotas, until {local_time(ends_at)}"


def keys_view(report: CampaignReport, now: float, most: int | None = None) -> Table:
    """Return one line a key, ``most`` of them at most, those that do not serve last."""
    blocked = {project.project: project for project in report.blocked}
    states = {key.fingerprint: key_state(key, blocked, now) for key in report.keys}
    order = list(KeyState)
    rows = sorted(report.keys, key=lambda key: order.index(states[key.fingerprint][0]))
    table = Table(box=None, pad_edge=False)
    for name in ("key", "project", "today"):
        table.add_column(name, no_wrap=True)
    # These two give way on a narrow terminal; their texts are cut, so that a key stays one line.
    table.add_column("state")
    table.add_column("requests")
    for key in rows[:most]:
        state, until = states[key.fingerprint]
        limit = "" if key.quota.rpd is None else f" of {key.quota.rpd:,}"
        table.add_row(
            Text(key.label),
            Text(key.project),
            f"{key.project_today:,}{limit}",
            _cut(_state_words(key, state, until), _STYLES[state]),
            _cut(listed(key.outcomes)),
        )
    if most is not None and len(rows) > most:
        table.add_row(f"and {len(rows) - most} more keys")
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
