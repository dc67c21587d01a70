"""What people found out, for a terminal; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text


def percent(share: Mapping[str, Any]) -> str:
    """Return a share with its interval.

    >>> percent({"share": 0.9, "ci95": [0.8512, 0.9333]})
    '90.0 % (85.1 to 93.3 %)'
    >>> percent({"share": None, "ci95": None})
    'not known'
    """
    if share["share"] is None:
        return "not known"
    low, high = share["ci95"]
    return f"{share['share']:.1%} ({100 * low:.1f} to {high:.1%})".replace("%", " %")


def report_line(report: Mapping[str, Any]) -> str:
    """Return the whole in one line; empty if nobody judged anything."""
    if not report["judged"]:
        return ""
    sample = report["sample"]
    outcomes = ", ".join(f"{count:,} {name}" for name, count in report["outcomes"].items() if count)
    right = f"; right: {percent(sample['right'])} by {sample['judged']:,} at random"
    if sample["skipped"]:
        right += f", without {sample['skipped']:,} of these that were only skipped"
    return f"{report['judged']:,} judged ({outcomes}){right if sample['judged'] else ''}"


def report_view(campaign_id: int, report: Mapping[str, Any]) -> RenderableType:
    """Return the report on a campaign."""
    parts: list[RenderableType] = [Text(f"Campaign {campaign_id}", style="bold")]
    facts = Table(show_header=False, box=None, pad_edge=False)
    facts.add_row("judged", Text(report_line(report) or "nothing yet; `curator review` begins"))
    for reason, count in report["reasons"].items():
        facts.add_row("reason", Text(f"{reason.replace('_', ' ')}: {count:,}"))
    for name, decisions in report["reviewers"].items():
        said = ", ".join(f"{count:,} {decision}" for decision, count in decisions.items())
        facts.add_row("reviewer", Text(f"{name}: {said}"))
    for row in _agreement_rows(report["agreement"]):
        facts.add_row(*row)
    parts.append(facts)
    if report["sample"]["judged"]:
        parts.append(_shares(report["sample"]["right_by"]))
    return Group(*parts, Text())


def _agreement_rows(agreement: Mapping[str, Any]) -> Sequence[tuple[str, Text]]:
    people, rows = agreement["people"], []
    if people["judged_by_several"]:
        rows.append(
            (
                "several people",
                Text(
                    f"{people['unanimous']:,} of {people['judged_by_several']:,} pairs unanimous, "
                    f"Krippendorff's alpha {_figure(people['krippendorffs_alpha'])}"
                ),
            )
        )
    for two in people["two_by_two"]:
        names = " and ".join(two["reviewers"])
        kappa = _figure(two["cohens_kappa"])
        said = f"{names}: {two['same']:,} of {two['pairs']:,} the same, Cohen's kappa {kappa}"
        rows.append(("two people", Text(said)))
    for name in ("second_opinion", "listing"):
        told = agreement[name]
        if told["pairs"]:
            same = told["both_right"] + told["both_wrong"]
            kappa = _figure(told["cohens_kappa"])
            said = f"as people say of {same:,} of {told['pairs']:,} pairs, Cohen's kappa {kappa}"
            rows.append((name.replace("_", " "), Text(said)))
    return rows


def _shares(groups: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Table:
    table = Table("by", "", "judged", "right", box=None, pad_edge=False)
    for name, shares in groups.items():
        for value, share in shares.items():
            table.add_row(
                name.replace("_", " "), Text(value), f"{share['pairs']:,}", percent(share)
            )
    return table


def _figure(value: float | None) -> str:
    return "not defined" if value is None else f"{value:z.2f}"
