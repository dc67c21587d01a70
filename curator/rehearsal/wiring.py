"""Builds the server that a script describes."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from pathlib import Path

import platformdirs

from curator.rehearsal.answers.answer_book import AnswerBook, open_answer_book
from curator.rehearsal.answers.replying import Replier
from curator.rehearsal.answers.temper import Temper
from curator.rehearsal.faults import FaultPlan, FaultRule, FlexPlan
from curator.rehearsal.judge import Judge
from curator.rehearsal.key_ring import KeyRing, RehearsedKey, UnlistedKeys
from curator.rehearsal.model_shelf import Counting, ModelShelf, RehearsedModel
from curator.rehearsal.quota_book import Days, PacificDays, ProjectLimits, QuotaBook, ShortDays
from curator.rehearsal.script import (
    DayTable,
    FaultTable,
    FlexTable,
    KeyTable,
    LatencyTable,
    ModelTable,
    QuotaTable,
    RehearsalScript,
)
from curator.rehearsal.server import Latency, Received, RehearsalServer
from shared.corpus import checked_columns, read_pairs
from shared.images.names import with_file_names
from shared.program.clock import Clock


def default_cache() -> Path:
    """Return the folder where miniatures of known images are kept."""
    return platformdirs.user_cache_path("abo-vqa") / "rehearsal"


def read_answers(script: RehearsalScript, cache: Path) -> AnswerBook:
    """Read and index the questions, answers and images of a script; seconds for thousands.

    Raises:
        InputError: the answers or the images cannot be read.
    """
    columns = checked_columns(script.columns, "columns")
    pairs = with_file_names(read_pairs(script.answers, columns), script.images, script.answers)
    return open_answer_book(script.images, pairs, cache)


def build_server(
    script: RehearsalScript,
    answers: AnswerBook,
    clock: Clock,
    record: Callable[[Received], None] | None = None,
) -> RehearsalServer:
    """Return the server that plays ``script`` from ``answers``; ``record`` is told of requests."""
    accepted = script.accept_unlisted_keys
    keys = KeyRing(
        [_key(key) for key in script.labelled_keys()],
        {project.name: _limits(project) for project in script.project},
        unlisted=UnlistedKeys.ACCEPTED if accepted else UnlistedKeys.REFUSED,
        unlisted_limits=_limits(script.unlisted_quota),
    )
    # Dice of their own, so that how faults are dealt does not depend on who asked when.
    dice = random.Random(script.seed)
    fault_die, die, flex_die = (random.Random(dice.random()) for _ in range(3))
    shelf = ModelShelf(script.models, [_model(model) for model in script.model])
    judge = Judge(
        replier=Replier(
            answers, shelf, die, {model.name: _temper(model) for model in script.model}
        ),
        keys=keys,
        shelf=shelf,
        quotas=QuotaBook(_days(script.day, clock.now())),
        faults=FaultPlan([_rule(fault) for fault in script.fault], fault_die),
        flex=FlexPlan(
            flex_die,
            shed=script.flex.shed,
            shed_status=script.flex.shed_status,
            downgraded=script.flex.downgraded,
        ),
        die=die,
        clock=clock,
    )
    return RehearsalServer(
        judge=judge,
        latency=_latency(script.latency, script.latency),
        flex_latency=_latency(script.flex, script.latency),
        die=die,
        clock=clock,
        record=record,
    )


def _latency(table: FlexTable | LatencyTable, usual: LatencyTable) -> Latency:
    mean_ms = usual.mean_ms if table.mean_ms is None else table.mean_ms
    return Latency(
        mean_s=mean_ms / 1000, jitter_s=table.jitter_ms / 1000, slow_s=usual.slow_ms / 1000
    )


def _key(table: KeyTable) -> RehearsedKey:
    return RehearsedKey(
        label=table.label,
        project=table.project,
        api_key=table.api_key,
        state=table.state,
        valid_for=table.valid_for,
    )


def _model(table: ModelTable) -> RehearsedModel:
    return RehearsedModel(
        name=table.name,
        stage=table.stage,
        retires_at=None if table.retires is None else table.retires.timestamp(),
        closed_to=frozenset(table.closed_to),
        answers_as=table.answers_as,
        takes_json_mode=table.json_mode,
        valid_for=table.valid_for,
        tiers=frozenset(table.tiers),
        counting=Counting(
            image_tokens={str(name): n for name, n in table.image_tokens.items()},
            image_detail=table.image_detail,
            characters_per_token=table.characters_per_token,
            thought_tokens={str(name): n for name, n in table.thought_tokens.items()},
            thinking=table.thinking or "",
            takes_budget=table.takes_budget,
            cached_tokens=table.cached_tokens,
        ),
    )


def _temper(table: ModelTable) -> Temper:
    return Temper(
        changes_at=-math.inf if table.changes_at is None else table.changes_at.timestamp(),
        changes_after=table.changes_after,
        changed_share=table.changed_share,
        unsteady_share=table.unsteady_share,
    )


def _limits(table: QuotaTable) -> ProjectLimits:
    return ProjectLimits(rpm=table.rpm, tpm=table.tpm, rpd=table.rpd, tier=table.tier)


def _days(table: DayTable, now: float) -> Days:
    if table.length_s is not None:
        return ShortDays(start=now, length_s=table.length_s)
    return PacificDays(table.offset_s)


def _rule(table: FaultTable) -> FaultRule:
    return FaultRule(
        fault=table.kind,
        rate=table.rate,
        every=table.every,
        at=frozenset(table.at),
        limit=table.limit,
    )
