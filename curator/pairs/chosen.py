"""Which campaigns of a ledger are worked on, and what their pairs have besides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from curator.ledger import CampaignReport
from curator.ledger.queries.pairs import PromptVersions
from curator.prompts.prompt_file import FieldType
from curator.prompts.prompts import prompts_from
from curator.prompts.reply_fields import DIFFICULTY, STYLE
from curator.status.telling_apart import told_apart
from shared.errors import InputError
from shared.records.column_kinds import ColumnKind, ExtraColumns

_KINDS: Final = {
    FieldType.STRING: ColumnKind.STRING,
    FieldType.CHOICE: ColumnKind.STRING,
    FieldType.INTEGER: ColumnKind.INTEGER,
    FieldType.NUMBER: ColumnKind.NUMBER,
    FieldType.BOOLEAN: ColumnKind.BOOLEAN,
}


def chosen_campaigns(
    candidates: Sequence[CampaignReport], wanted: Sequence[int], ledger: Path
) -> list[CampaignReport]:
    """Return the campaigns with the ids ``wanted``, or the only one there is.

    Raises:
        InputError: no such campaign, none at all, or several to choose from.
    """
    if not candidates:
        raise InputError(f"{ledger}: holds no pairs yet; let `curator run` work first")
    by_id = {report.campaign_id: report for report in candidates}
    for campaign_id in wanted:
        if campaign_id not in by_id:
            raise InputError(
                f"{ledger}: no campaign {campaign_id} to work on; see `curator status`"
            )
    if not wanted and len(candidates) > 1:
        names = "; ".join(described(candidates).values())
        raise InputError(f"{ledger}: several campaigns; give --campaign ID of: {names}")
    return [by_id[campaign_id] for campaign_id in dict.fromkeys(wanted)] or [candidates[0]]


def described(reports: Sequence[CampaignReport]) -> dict[int, str]:
    """Return each campaign's id with what tells it from the others, by id."""
    words = told_apart([report.campaign for report in reports])
    return {
        report.campaign_id: f"{report.campaign_id} ({told}, {report.pairs:,} pairs)"
        for report, told in zip(reports, words, strict=True)
    }


def versions_of(reports: Sequence[CampaignReport]) -> PromptVersions:
    """Return what says which version of its prompts a campaign asked about an image."""
    return {report.campaign_id: _version_of(report) for report in reports}


def _version_of(report: CampaignReport) -> Callable[[str, str], str]:
    campaign = report.campaign
    if len(campaign.prompts) < 2:  # noqa: PLR2004 - of several, each image has its own
        return lambda *_: campaign.prompt_version
    prompts = prompts_from(campaign.prompts, f"prompt {campaign.prompt_version}")
    return lambda image, listing_id: prompts.of(image, listing_id).version


def columns_of(reports: Sequence[CampaignReport]) -> ExtraColumns:
    """Return the columns that the prompts of campaigns add to pairs.

    Raises:
        InputError: two of them have a field of one name and different types.
    """
    columns: dict[str, ColumnKind] = {}
    for report in reports:
        for part in report.campaign.prompts:
            kinds = {STYLE: ColumnKind.STRING} if part["styles"] else {}
            for name, field in part["fields"].items():
                if name != DIFFICULTY:
                    kinds[name] = _KINDS[FieldType(field["type"])]
            for name, kind in kinds.items():
                if columns.setdefault(name, kind) is not kind:
                    raise InputError(
                        f"--campaign: a field {name!r} is {columns[name].value} in one of them and "
                        f"{kind.value} in another; export them apart"
                    )
    return columns
