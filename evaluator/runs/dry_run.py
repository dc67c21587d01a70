"""``evaluator run --dry-run``: what a run would do, cost and take, told without asking anyone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from evaluator.runs.folder import SHARDS_FOLDER
from shared.dataset.units import counted
from shared.endpoints.models.known import packaged_models
from shared.endpoints.request import Measure
from shared.endpoints.token_estimates import OPINION_TOKENS, TokenEstimates
from shared.program.durations import duration
from shared.records import QAPair

if TYPE_CHECKING:
    from evaluator.endpoints.address.endpoint import Endpoint
    from evaluator.metrics.metric import Metric
    from evaluator.runs.settings import RunSettings

REPLY_S: Final = 5.0
"""What ``curator plan`` takes a reply to last as well, until somebody knows better."""


@dataclass(frozen=True)
class Ahead:
    """What a run has before it; ``shown_instead`` are the pictures of its control, by name.

    ``again`` are asked once more under changes, each as often. ``endpoint`` is ``None`` where
    replicas answer.
    """

    pairs: Sequence[QAPair]
    metrics: Sequence[Metric]
    shown_instead: Mapping[str, str]
    again: Sequence[QAPair]
    endpoint: Endpoint | None


def ahead_lines(settings: RunSettings, ahead: Ahead) -> Iterator[str]:
    """Yield a line each: what would be asked, of whom, what that costs, how long it takes."""
    pictures = len({pair.filename for pair in ahead.pairs})
    controls = [pair for pair in ahead.pairs if pair.filename in ahead.shown_instead]
    asked = [*ahead.pairs, *controls, *ahead.again]
    yield (
        f"would answer {counted(len(ahead.pairs), 'question')} about "
        f"{counted(pictures, 'picture')}, and {counted(len(controls), 'question')} once more with "
        "another picture, as a control"
    )
    if settings.changes:
        changes = ", ".join(map(str, settings.changes))
        yield f"and {counted(len(ahead.again), 'question')} again under changes: {changes}"
    yield f"metrics: {', '.join(metric.name for metric in ahead.metrics)}"
    done = len(list((settings.out / SHARDS_FOLDER).glob("shard-*.parquet")))
    if done:
        yield f"{settings.out} holds {counted(done, 'shard')} of answers, which a run goes on with"
    if ahead.endpoint is None:
        yield f"by {counted(settings.replicas, 'replica')} of {settings.model}"
        yield "money: none but what the machines cost"
        yield "time: not known before the first answers; evaluator status tells what is left"
    else:
        yield from _address_lines(settings, ahead.endpoint, asked)
    options = settings.judge_options
    if options is not None:
        from evaluator.judging.ahead import judge_lines  # noqa: PLC0415 (HTTP)

        yield from judge_lines(options, asked)
    yield "dry run: nothing was asked or written"


def _address_lines(
    settings: RunSettings, endpoint: Endpoint, asked: Sequence[QAPair]
) -> Iterator[str]:
    model = endpoint.known[endpoint.model]
    estimates = TokenEstimates(packaged_models().tile, of_models=endpoint.settings_of_models)
    frame = len(endpoint.instruction.template)
    tokens_in = sum(
        estimates.input_tokens(
            model, Measure(frame + len(pair.question), endpoint.longest_px, questions=0)
        )
        for pair in asked
    )
    tokens_out = OPINION_TOKENS * len(asked)
    yield f"by {endpoint.model} at {endpoint.address}"
    yield (
        f"tokens: about {tokens_in:,} in and {tokens_out:,} out, thinking not counted, "
        "which nobody knows beforehand"
    )
    price = settings.given_price or endpoint.price_of(endpoint.model)
    if price is None:
        yield "money: unknown; --price-in and --price-out say what tokens cost"
    else:
        yield f"money: about {price.of(tokens_in, tokens_out):.2f} US dollars, thinking not counted"
    seconds = len(asked) * REPLY_S / endpoint.in_flight
    yield (
        f"time: about {duration(seconds)}, with {counted(endpoint.in_flight, 'request')} in flight "
        f"and {REPLY_S:g} s a reply, quotas apart"
    )
