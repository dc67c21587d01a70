"""What is told about a campaign: its figures, and all of them as one JSON object; pure.

``curator status``, the live view and the status page all take them from here;
``curator.status.view`` shows them on a terminal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, field
from enum import StrEnum
from typing import Any, Final

from curator.forecast.forecast import Forecast
from curator.judging.facts import NO_CANDIDATE
from curator.ledger import BatchCounts, CampaignReport, KeyReport, Outcome
from curator.status.canaries import canaries_object
from curator.status.spending import budget_object, cost_usd, spending_object
from shared.endpoints.keys.quota_day import next_day
from shared.endpoints.models.known import ModelCatalogue, packaged_models
from shared.endpoints.models.model_status import Retirement, retirement
from shared.endpoints.pool.records import ModelUse
from shared.value_class import value_class

UNKNOWN_MODEL: Final = "unknown model"
SHED: Final = Outcome.SHED.value
NOT_ERRORS: Final = frozenset({"open", "answered", SHED})


@value_class
class Standing:
    """A campaign's report with what no report holds.

    ``goal`` is the number of settled items at which the present run ends, if not all, and
    ``last_errors`` the latest reason of each kind of failure in it. ``known_models`` has prices.
    """

    report: CampaignReport
    forecast: Forecast
    goal: int | None = None
    last_errors: Mapping[str, str] = field(default_factory=dict)
    known_models: ModelCatalogue = field(default_factory=packaged_models)


class KeyState(StrEnum):
    """Whether a key serves."""

    READY = "ready"
    COOLING_DOWN = "cooling down"
    """Its project was refused, and waits."""
    RESTING = "resting"
    """Its project's requests of the day are used up."""
    REMOVED = "removed"


def key_state(key: KeyReport, report: CampaignReport, now: float) -> tuple[KeyState, float | None]:
    """Return a key's state, and when it ends, seconds since the epoch, where that is known.

    It is that of the model which can serve first.
    """
    if key.removed_because:
        return KeyState.REMOVED, None
    states = [model_state(key.project, use, report, now) for use in key.uses]
    serving = [(state, until) for state, until in states if state is not KeyState.REMOVED]
    return min(
        serving, key=lambda state_until: state_until[1] or 0.0, default=(KeyState.READY, None)
    )


def model_state(
    project: str, use: ModelUse, report: CampaignReport, now: float
) -> tuple[KeyState, float | None]:
    """Return the state of a model in a project, and when it ends, where that is known."""
    if use.refused_because:
        return KeyState.REMOVED, None
    if cooling := report.blocked_record(project, use.model):
        return KeyState.COOLING_DOWN, cooling.blocked_until
    if use.quota.rpd is not None and use.today >= use.quota.rpd:
        return KeyState.RESTING, next_day(now)
    return KeyState.READY, None


def named_models(report: CampaignReport) -> dict[str, int]:
    """Return the pairs by the model that made them, as it is called where people read it."""
    return {model or UNKNOWN_MODEL: count for model, count in report.pairs_by_model.items()}


def rate_per_minute(report: CampaignReport) -> float:
    """Return the items answered a minute, recently."""
    return report.finished_recently / report.recent_s * 60


def models_object(report: CampaignReport) -> list[dict[str, Any]]:
    """Return the replies that name their model, by the one asked and the one that answered."""
    return [
        {
            "asked": replies.asked,
            "answered_by": replies.answered_by,
            "is_another": replies.are_by_another,
            "stage": replies.status.stage,
            "retires_at": replies.status.retires_at,
            "replies": replies.count,
        }
        for replies in report.replies_by_model
    ]


def retirements(standing: Standing) -> dict[str, Retirement]:
    """Return when the models that were asked, or are to be, are shut down, where that is known."""
    report = standing.report
    models = [*report.campaign.model_names, *(replies.asked for replies in report.replies_by_model)]
    ends = {
        model: retirement(standing.known_models.known(model), report.told_end(model))
        for model in dict.fromkeys(models)
    }
    return {model: end for model, end in ends.items() if end}


@value_class
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
    return {"now": now, "campaigns": [_campaign_object(standing, now) for standing in standings]}


def _campaign_object(standing: Standing, now: float) -> dict[str, Any]:
    report = standing.report
    return {
        "id": report.campaign_id,
        "annotator": report.campaign.annotator,
        "models": report.campaign.model_names,
        "prompt_version": report.campaign.prompt_version,
        "questions": report.campaign.questions,
        "prompts": [
            {name: part[name] for name in ("name", "version", "share")}
            for part in report.campaign.prompts
        ],
        **_images_object(standing),
        **_replies_objects(standing),
        **_tokens_object(standing),
        **_ending_object(standing, now),
        **_keys_object(report, now),
    }


def _images_object(standing: Standing) -> dict[str, Any]:
    """Return what became of the images, and what they brought."""
    report = standing.report
    return {
        "progress": {**asdict(report.progress), "total": report.progress.total},
        "goal": standing.goal,
        "pairs": report.pairs,
        "pairs_by_model": dict(report.pairs_by_model),
        "rejected_by_rule": dict(report.rejected),
        "second_opinions": asdict(report.opinions),
        "given_up": dict(report.given_up),
        "dead_letters": [asdict(letter) for letter in report.dead_letters],
        "left_out": [asdict(entry) for entry in report.left_out],
        "alike": report.alike,
        "unfit": dict(report.unfit),
        "along": report.along,
    }


def _replies_objects(standing: Standing) -> dict[str, Any]:
    """Return what requests came to, and who answered them."""
    report = standing.report
    return {
        "replies_by_model": models_object(report),
        "replies_of_other_models": report.replies_of_others,
        "retirements": [
            {"model": model, **asdict(end)} for model, end in retirements(standing).items()
        ],
        "canaries": canaries_object(report),
        "settings_left_out": {
            model: list(settings) for model, settings in report.settings_left_out.items()
        },
        "replies": _replies_object(report),
        "attempts": dict(report.outcomes),
        "attempts_by_model": {
            model: dict(outcomes) for model, outcomes in report.outcomes_by_model.items()
        },
        "batch_jobs": _batches_object(report.batches),
        "last_errors": dict(standing.last_errors),
    }


def _tokens_object(standing: Standing) -> dict[str, Any]:
    report, known_models = standing.report, standing.known_models
    return {
        "tokens": asdict(report.tokens),
        "tokens_by_model": {
            model: asdict(tokens) for model, tokens in report.tokens_by_model.items()
        },
        "cost_usd": cost_usd(report, known_models),
        "spending": spending_object(report, known_models),
        "budget": budget_object(report, known_models),
    }


def _ending_object(standing: Standing, now: float) -> dict[str, Any]:
    ends_at = standing.forecast.ends_at
    return {
        "rate_per_minute": rate_per_minute(standing.report),
        "ends_at": ends_at,
        "eta_s": None if ends_at is None else max(0.0, ends_at - now),
        "eta_unknown_because": standing.forecast.reason,
        "ends_by_budget": standing.forecast.is_by_budget,
    }


def _keys_object(report: CampaignReport, now: float) -> dict[str, Any]:
    return {
        "keys": [_key_object(key, report, now) for key in report.keys],
        "quotas": [
            _quota_object(project, use, report, now) for project, use in project_uses(report)
        ],
        "cooling_down": [
            {
                "project": project.project,
                "model": project.model,
                "until": project.blocked_until,
                "window": project.blocked_window.value,
            }
            for project in report.blocked
        ],
    }


def _batches_object(counts: BatchCounts) -> dict[str, Any]:
    return {
        "jobs": dict(counts.jobs),
        "requests_held": dict(counts.held),
        "oldest_at": counts.oldest_at,
        "files_left": counts.files_left,
    }


def _replies_object(report: CampaignReport) -> dict[str, Any]:
    replies = reply_counts(report)
    return {
        "by_ending": dict(replies.endings),
        "by_form": dict(replies.forms),
        "wrong_count": replies.wrong_count,
        "rejected": dict(replies.rejections),
    }


def project_uses(report: CampaignReport) -> list[tuple[str, ModelUse]]:
    """Return what each project has of each model, those of keys that serve."""
    projects = {key.project: key.uses for key in report.keys if not key.removed_because}
    return [(project, use) for project, uses in projects.items() for use in uses]


def _quota_object(
    project: str, use: ModelUse, report: CampaignReport, now: float
) -> dict[str, Any]:
    state, until = model_state(project, use, report, now)
    return {
        "project": project,
        "model": use.model,
        "state": state.value,
        "until": until,
        "refused_because": use.refused_because,
        "requests_today": use.today,
        "limits": asdict(use.quota),
    }


def _key_object(key: KeyReport, report: CampaignReport, now: float) -> dict[str, Any]:
    state, until = key_state(key, report, now)
    return {
        "label": key.label,
        "fingerprint": key.fingerprint,
        "project": key.project,
        "state": state.value,
        "until": until,
        "removed_because": key.removed_because,
        "removed_at": key.removed_at,
        "outcomes": dict(key.outcomes),
        "requests_today": key.today,
        "requests_a_day": key.a_day,
    }
