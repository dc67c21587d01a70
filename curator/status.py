"""What ``curator status`` and the status page say: one JSON object, one terminal view; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from curator.ledger import CampaignReport, KeyReport


def status_object(reports: Sequence[CampaignReport]) -> dict[str, Any]:
    """Return the state of a ledger as plain values; times are seconds since the epoch, UTC."""
    return {"campaigns": [_campaign_object(report) for report in reports]}


def eta_s(report: CampaignReport) -> float | None:
    """Return seconds until the campaign is done at its present rate; ``None`` while it rests."""
    if report.progress.pending == 0:
        return 0.0
    if report.finished_recently == 0:
        return None
    return report.progress.pending / report.finished_recently * report.recent_s


def _campaign_object(report: CampaignReport) -> dict[str, Any]:
    progress = report.progress
    return {
        "id": report.campaign_id,
        **asdict(report.campaign),
        "progress": {**asdict(progress), "total": progress.total},
        "pairs": report.pairs,
        "rejected_by_rule": dict(report.rejected),
        "attempts": dict(report.outcomes),
        "tokens": asdict(report.tokens),
        "rate_per_minute": report.finished_recently / report.recent_s * 60,
        "eta_s": eta_s(report),
        "keys": [_key_object(key) for key in report.keys],
        "cooling_down": [
            {
                "project": project.project,
                "until": project.blocked_until,
                "window": project.blocked_window.value,
            }
            for project in report.blocked
        ],
        "dead_letters": [asdict(letter) for letter in report.dead_letters],
    }


def _key_object(key: KeyReport) -> dict[str, Any]:
    return {
        "label": key.label,
        "fingerprint": key.fingerprint,
        "project": key.project,
        "removed_because": key.removed_because,
        "outcomes": dict(key.outcomes),
        "requests_today": key.project_today,
        "limits": asdict(key.quota),
    }


def status_view(reports: Sequence[CampaignReport]) -> RenderableType:
    """Return the state of a ledger for a terminal."""
    if not reports:
        return Text("The ledger holds no campaign yet.")
    return Group(*(_campaign_view(report) for report in reports))


def _campaign_view(report: CampaignReport) -> RenderableType:
    campaign, progress = report.campaign, report.progress
    head = Text(
        f"Campaign {report.campaign_id}: {campaign.model}, {campaign.questions} questions, "
        f"prompt {campaign.prompt_version}",
        style="bold",
    )
    facts = Table(show_header=False, box=None, pad_edge=False)
    facts.add_row("progress", f"{progress.done} of {progress.total} done, {progress.dead} given up")
    facts.add_row("pairs", str(report.pairs))
    facts.add_row("rejected", _listed(report.rejected))
    facts.add_row("requests", _listed(report.outcomes))
    tokens = report.tokens
    facts.add_row(
        "tokens", f"{tokens.input} in, {tokens.output} out, {tokens.thoughts} for thinking"
    )
    facts.add_row("time left", _time_left(report))
    parts: list[RenderableType] = [head, facts, _keys_view(report)]
    if report.dead_letters:
        parts.append(_dead_view(report))
    return Group(*parts)


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "none"


def _time_left(report: CampaignReport) -> str:
    left = eta_s(report)
    if left is None:
        return "not running"
    minutes = round(left / 60)
    return f"about {minutes // 60} h {minutes % 60} min" if left else "none"


def _keys_view(report: CampaignReport) -> Table:
    blocked = {project.project: project for project in report.blocked}
    table = Table("key", "project", "requests", "state")
    for key in report.keys:
        state = "ready"
        if key.removed_because:
            state = f"removed: {key.removed_because}"
        elif cooling := blocked.get(key.project):
            until = datetime.fromtimestamp(cooling.blocked_until, UTC).astimezone()
            state = f"cooling down until {until:%Y-%m-%d %H:%M %Z}"
        table.add_row(Text(key.label), Text(key.project), _listed(key.outcomes), Text(state))
    return table


def _dead_view(report: CampaignReport) -> Table:
    table = Table("given up", "image", "reason", title="latest dead letters", title_justify="left")
    for letter in report.dead_letters:
        table.add_row(Text(letter.listing_id), Text(letter.image_path), Text(letter.reason))
    return table
