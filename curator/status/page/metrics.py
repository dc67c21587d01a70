"""A campaign's figures in Prometheus' text format."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from curator.ledger import BatchCounts, CampaignReport
from curator.status.canaries import canary_standings
from curator.status.spending import cost_usd
from curator.status.status import (
    KeyState,
    Standing,
    key_state,
    project_uses,
    rate_per_minute,
    retirements,
)

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4


def metrics_text(standing: Standing, now: float) -> bytes:
    """Return every figure of ``standing``, each campaign's with its number as a label."""
    registry = CollectorRegistry()
    registry.register(_Campaign(standing, now))
    return generate_latest(registry)


class _Campaign(Collector):
    def __init__(self, standing: Standing, now: float) -> None:
        self._standing = standing
        self._now = now

    def collect(self) -> Iterator[Metric]:
        yield from self._work()
        yield from self._models()
        yield from _batches(self._standing.report.batches)
        yield from self._tokens()
        yield from self._time()
        yield from self._keys()

    def _work(self) -> Iterator[Metric]:
        report = self._standing.report
        progress = report.progress
        items = GaugeMetricFamily("curator_items", "Images by state.", labels=["state"])
        for state in ("pending", "done", "dead"):
            items.add_metric([state], getattr(progress, state))
        yield items
        yield GaugeMetricFamily("curator_pairs", "Pairs that were accepted.", report.pairs)
        rejected = CounterMetricFamily(
            "curator_rejected_pairs", "Pairs that broke a rule.", labels=["rule"]
        )
        for rule, count in report.rejected.items():
            rejected.add_metric([rule], count)
        yield rejected
        requests = CounterMetricFamily(
            "curator_requests",
            "Requests that are over, by what became of them.",
            labels=["key", "project", "outcome"],
        )
        open_now = 0
        for key in report.keys:
            for outcome, count in key.outcomes.items():
                if outcome == "open":
                    open_now += count
                else:
                    requests.add_metric([key.label, key.project, outcome], count)
        yield requests
        asked = CounterMetricFamily(
            "curator_model_requests",
            "Requests that are over, by the model that was asked.",
            labels=["model", "outcome"],
        )
        for model, outcomes in report.outcomes_by_model.items():
            for outcome, count in outcomes.items():
                if outcome != "open":
                    asked.add_metric([model, outcome], count)
        yield asked
        yield GaugeMetricFamily(
            "curator_requests_open", "Requests under way, or lost in a crash.", open_now
        )

    def _models(self) -> Iterator[Metric]:
        report = self._standing.report
        yield CounterMetricFamily(
            "curator_other_model_replies",
            "Replies that another model made than the one that was asked.",
            report.replies_of_others,
        )
        ends = GaugeMetricFamily(
            "curator_model_retirement_timestamp_seconds",
            "When a model that is asked is shut down.",
            labels=["model"],
        )
        for model, end in retirements(self._standing).items():
            ends.add_metric([model], end.at)
        yield ends
        yield from _canaries(report)

    def _tokens(self) -> Iterator[Metric]:
        report = self._standing.report
        tokens = CounterMetricFamily(
            "curator_tokens",
            "Tokens by kind; cached ones and those of images are parts of the input.",
            labels=["kind"],
        )
        for kind in ("input", "output", "thoughts", "cached", "images"):
            tokens.add_metric([kind], getattr(report.tokens, kind))
        yield tokens
        if (usd := cost_usd(report, self._standing.known_models)) is not None:
            yield CounterMetricFamily("curator_cost_usd", "Cost by list price.", usd)

    def _time(self) -> Iterator[Metric]:
        report, ends_at = self._standing.report, self._standing.forecast.ends_at
        yield GaugeMetricFamily(
            "curator_items_per_minute",
            "Images answered a minute, recently.",
            rate_per_minute(report),
        )
        if ends_at is not None:
            yield GaugeMetricFamily(
                "curator_end_timestamp_seconds", "When all is done under these quotas.", ends_at
            )

    def _keys(self) -> Iterator[Metric]:
        report = self._standing.report
        states = GaugeMetricFamily(
            "curator_key_state", "1 for the state that a key is in.", labels=["key", "state"]
        )
        for key in report.keys:
            present, _ = key_state(key, report, self._now)
            for state in KeyState:
                labels = [key.label, state.value.replace(" ", "_")]
                states.add_metric(labels, float(state is present))
        yield states
        yield from _projects(report)


def _batches(counts: BatchCounts) -> Iterator[Metric]:
    jobs = GaugeMetricFamily("curator_batch_jobs", "Batch jobs by state.", labels=["state"])
    held = GaugeMetricFamily(
        "curator_batch_requests_held",
        "Requests that batch jobs hold, by the state of their job.",
        labels=["state"],
    )
    for state, count in counts.jobs.items():
        jobs.add_metric([state], count)
        held.add_metric([state], counts.held.get(state, 0))
    yield jobs
    yield held
    yield GaugeMetricFamily(
        "curator_batch_files_left",
        "Files of settled batch jobs that could not be deleted at the service.",
        counts.files_left,
    )
    if counts.oldest_at is not None:
        yield GaugeMetricFamily(
            "curator_batch_oldest_timestamp_seconds",
            "When the oldest batch job was made that is not over.",
            counts.oldest_at,
        )


def _canaries(report: CampaignReport) -> Iterator[Metric]:
    answers = CounterMetricFamily(
        "curator_canary_answers",
        "Answers to questions that are asked again each quota day.",
        labels=["model"],
    )
    equal = GaugeMetricFamily(
        "curator_canary_equal_ratio",
        "Share of the latest day's answers that are as the model's first.",
        labels=["model"],
    )
    usual = GaugeMetricFamily(
        "curator_canary_usual_equal_ratio", "The same on the days before.", labels=["model"]
    )
    alarm = GaugeMetricFamily(
        "curator_canary_alarm", "1 if the model seems to have changed.", labels=["model"]
    )
    # A model that is not asked any more needs nobody's attention.
    names = report.campaign.model_names
    asked = [day for day in report.canary_days if any(day.is_of(name) for name in names)]
    for standing in canary_standings(asked):
        days = [day.answered for day in asked if day.model == standing.model]
        answers.add_metric([standing.model], sum(days))
        alarm.add_metric([standing.model], float(standing.is_alarm))
        for family, share in ((equal, standing.share), (usual, standing.usual_share)):
            if share is not None:
                family.add_metric([standing.model], share)
    yield from (answers, equal, usual, alarm)


def _projects(report: CampaignReport) -> Iterator[Metric]:
    used = GaugeMetricFamily(
        "curator_project_requests_today",
        "Requests since the quota day began.",
        labels=["project", "model"],
    )
    limits = GaugeMetricFamily(
        "curator_project_limit",
        "Limits as stated and learned: requests and input tokens a minute, requests a day.",
        labels=["project", "model", "limit"],
    )
    for project, use in project_uses(report):
        used.add_metric([project, use.model], use.today)
        for name in ("rpm", "tpm", "rpd"):
            if (limit := getattr(use.quota, name)) is not None:
                limits.add_metric([project, use.model, name], limit)
    yield used
    yield limits
